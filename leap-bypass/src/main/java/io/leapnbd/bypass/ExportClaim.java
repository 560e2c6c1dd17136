package io.leapnbd.bypass;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.DonorConnector.Conversation;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Mapping;
import io.leapnbd.bypass.map.Slab;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How a server takes an export over, before it opens a single link: asks every donor what it knows, takes a higher epoch than
 * any of them has seen, claims, which fences off whoever served the export before, and only then lists what is there.
 *
 * <p>Where the pages are is told by the state file of the server before, if it is from the highest epoch; else by the donors'
 * lists. A slab that the file names and its donor does not have any more is lost, and its written pages with it.
 *
 * <p>Blocking; used once, by one thread.
 */
final class ExportClaim {

    private static final Logger LOG = LoggerFactory.getLogger(ExportClaim.class);
    private static final int ATTEMPTS = 3;

    private final RemoteDeviceContext context;
    private final List<DonorConnector> connectors;
    private final UUID instance = UUID.randomUUID();

    private final List<@Nullable HelloReply> greetings = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();
    private long epoch;
    private UUID content = UUID.randomUUID();
    private int slabSize;
    private long claimedBefore;
    private boolean restoreFromFile;
    private boolean restoreFromLists;
    private @Nullable StateFile state;
    private @Nullable AddressMap map;

    ExportClaim(RemoteDeviceContext context, List<DonorConnector> connectors) {
        this.context = context;
        this.connectors = connectors;
    }

    UUID instance() {
        return instance;
    }

    long epoch() {
        return epoch;
    }

    UUID content() {
        return content;
    }

    int slabSize() {
        return slabSize;
    }

    StateFile state() {
        return present(state);
    }

    AddressMap map() {
        return present(map);
    }

    /**
     * Does it all.
     *
     * @throws IOException if the export cannot be served; the message is one sentence for the operator
     */
    void take() throws IOException {
        for (int attempt = 1; ; attempt++) {
            try {
                greet();
                StateFile file = openState();
                decideContent(file);
                claimAndMap(file);
                checkRoom();
                return;
            } catch (FencedException e) {
                // Somebody else took the same epoch at the same moment: with a higher one, one of us wins.
                closeState();
                if (attempt == ATTEMPTS) {
                    throw e;
                }
            } catch (IOException | RuntimeException e) {
                closeState();
                throw e;
            }
        }
    }

    private void greet() throws IOException {
        List<Callable<HelloReply>> calls = new ArrayList<>();
        for (DonorConnector connector : connectors) {
            calls.add(() -> {
                try (Conversation talk = connector.open(hello(0))) {
                    HelloReply reply = talk.reply();
                    if (reply == null) {
                        throw new IOException("refused the hello: " + Status.name(talk.status()));
                    }
                    return reply;
                }
            });
        }
        List<Result<HelloReply>> results = inParallel(calls);
        greetings.clear();
        problems.clear();
        slabSize = 0;
        for (int i = 0; i < results.size(); i++) {
            HelloReply reply = results.get(i).value();
            greetings.add(reply);
            if (reply == null) {
                problems.add("donor " + donor(i) + " cannot be used: "
                        + results.get(i).failure().getMessage());
            } else if (slabSize == 0) {
                slabSize = reply.slabSize();
            } else if (slabSize != reply.slabSize()) {
                throw new IOException("donor " + donor(i) + " lends in slabs of " + reply.slabSize()
                        + " bytes, others of " + slabSize + "; start all donors with the same --slab-size");
            }
        }
        if (slabSize == 0) {
            throw new IOException(problems.getFirst());
        }
        DeviceNeed.check(context.size(), slabSize, context.stateFile());
    }

    private StateFile openState() throws IOException {
        StateFile file = new StateFile(
                context.stateFile(), context.size(), Integer.numberOfTrailingZeros(slabSize), context.fresh());
        state = file;
        return file;
    }

    /** Chooses the epoch, and whose contents these are: the state file's, the donors', or new ones. */
    private void decideContent(StateFile file) throws IOException {
        long highest = 0;
        UUID known = HelloReply.NO_CONTENT;
        for (HelloReply reply : greetings) {
            if (reply != null && reply.epoch() > highest) {
                highest = reply.epoch();
                known = reply.content();
            }
        }
        claimedBefore = highest;
        restoreFromFile = file.restored() && file.epoch() >= highest && file.epoch() > 0;
        restoreFromLists = !restoreFromFile && !context.fresh() && highest > 0 && !known.equals(HelloReply.NO_CONTENT);
        if (restoreFromFile) {
            content = file.content();
        } else if (restoreFromLists) {
            content = known;
        }
        if (!restoreFromFile && !problems.isEmpty()) {
            throw new IOException(problems.getFirst() + "; start it, or leave it out of --donors");
        }
        problems.forEach(problem -> LOG.warn("{}", problem));
        epoch = Math.max(highest, file.epoch()) + 1;
        if (epoch > Version.MAX_EPOCH) {
            throw new IOException("the export has been served " + Version.MAX_EPOCH
                    + " times and can be no more; choose another --export");
        }
    }

    private void claimAndMap(StateFile file) throws IOException {
        List<Callable<List<SlabList.Slab>>> calls = new ArrayList<>();
        for (int i = 0; i < connectors.size(); i++) {
            int index = i;
            calls.add(() -> greetings.get(index) == null ? List.of() : claim(connectors.get(index)));
        }
        List<List<SlabList.Slab>> lists = new ArrayList<>();
        for (Result<List<SlabList.Slab>> result : inParallel(calls)) {
            List<SlabList.Slab> list = result.value();
            if (list == null) {
                throw result.failure();
            }
            lists.add(list);
        }
        if (restoreFromFile) {
            checkDonorRows(file);
        }
        AddressMap restored = new AddressMap(file, context.size(), Integer.numberOfTrailingZeros(slabSize));
        map = restored;
        if (restoreFromFile) {
            dropWhatIsGone(file, restored, lists);
        }
        for (int i = 0; i < connectors.size(); i++) {
            HelloReply reply = greetings.get(i);
            if (reply != null) {
                file.putDonor(i, donor(i).name(), reply.incarnation());
            } else if (!restoreFromFile) {
                file.putDonor(i, donor(i).name(), HelloReply.NO_CONTENT);
            }
        }
        file.claim(epoch, content);
        if (restoreFromLists) {
            adoptNewest(restored, lists);
        }
        freeOrphans(restored, lists);
    }

    private List<SlabList.Slab> claim(DonorConnector connector) throws IOException {
        try (Conversation talk = connector.open(hello(epoch))) {
            if (talk.status() == Status.FENCED) {
                throw new FencedException("another server is claiming the export at donor " + connector.donor()
                        + "; only one may serve it");
            }
            return talk.list();
        }
    }

    /** The rows of the file's donors have to be those of the command line, in any order: slabs refer to them. */
    private void checkDonorRows(StateFile file) throws IOException {
        for (int i = 0; i < StateFile.MAX_DONORS; i++) {
            String name = file.donorName(i);
            String now = i < connectors.size() ? donor(i).name() : "";
            if (!name.isEmpty() && !name.equals(now)) {
                throw new IOException(
                        "the export was served before with donor " + name + " as number " + (i + 1)
                                + " of --donors; name the same donors in the same order, new ones last, or --fresh to start blank");
            }
        }
    }

    private void dropWhatIsGone(StateFile file, AddressMap restored, List<List<SlabList.Slab>> lists) {
        long pages = 0;
        Set<String> held = new HashSet<>();
        for (int i = 0; i < lists.size(); i++) {
            HelloReply reply = greetings.get(i);
            if (reply == null) {
                donor(i).expect(file.donorIncarnation(i));
                continue;
            }
            for (SlabList.Slab slab : lists.get(i)) {
                held.add(key(i, reply.incarnation(), slab.handle()));
            }
        }
        for (int s = 0; s < restored.slabs(); s++) {
            Slab slab = restored.slab(s);
            Mapping mapping = slab.mapping();
            if (mapping != null
                    && greetings.get(mapping.donor()) != null
                    && !held.contains(key(mapping.donor(), mapping.incarnation(), mapping.handle()))) {
                pages += restored.lose(slab, mapping);
            }
        }
        if (pages > 0) {
            LOG.warn(
                    "{} written pages of {} are lost: their donors have restarted; reading one is an I/O error until it is"
                            + " written again (--fresh would start blank)",
                    pages,
                    context.export());
        }
        LOG.info("found {} slabs, {} written pages again", restored.mappedSlabs(), restored.pagesWritten());
    }

    private void adoptNewest(AddressMap restored, List<List<SlabList.Slab>> lists) {
        for (int i = 0; i < lists.size(); i++) {
            HelloReply reply = greetings.get(i);
            if (reply == null) {
                continue;
            }
            for (SlabList.Slab listed : lists.get(i)) {
                if (listed.index() < 0 || listed.index() >= restored.slabs()) {
                    continue;
                }
                Slab slab = restored.slab(listed.index());
                Mapping before = slab.mapping();
                if (before == null || before.grantVersion() < listed.grantVersion()) {
                    restored.adopt(
                            slab,
                            new Mapping(i, reply.incarnation(), listed.handle(), listed.grantVersion()),
                            BitSet.valueOf(listed.written().toLongArray()));
                }
            }
        }
        LOG.info("found {} slabs, {} written pages at the donors", restored.mappedSlabs(), restored.pagesWritten());
        for (int i = 0; i < greetings.size(); i++) {
            HelloReply reply = greetings.get(i);
            if (reply != null && reply.epoch() < claimedBefore) {
                // The server before claimed at all its donors, so this one is new or has restarted; nothing tells
                // which.
                LOG.warn(
                        "donor {} knows nothing of {}, which other donors hold: what it may have held counts as lost",
                        donor(i),
                        context.export());
                restored.loseUnmapped();
            }
        }
    }

    /** Gives back slabs that the map does not refer to: of grants whose reply was lost, or of contents given up. */
    private void freeOrphans(AddressMap restored, List<List<SlabList.Slab>> lists) throws IOException {
        for (int i = 0; i < lists.size(); i++) {
            HelloReply reply = greetings.get(i);
            if (reply == null || lists.get(i).isEmpty()) {
                continue;
            }
            try (Conversation talk = connectors.get(i).open(hello(epoch))) {
                for (SlabList.Slab listed : lists.get(i)) {
                    Mapping mapping = listed.index() >= 0 && listed.index() < restored.slabs()
                            ? restored.slab(listed.index()).mapping()
                            : null;
                    if (mapping == null || mapping.donor() != i || mapping.handle() != listed.handle()) {
                        talk.free(listed.handle());
                    }
                }
            }
        }
    }

    private void checkRoom() throws IOException {
        long slabs = 0;
        boolean allKnown = true;
        for (int i = 0; i < connectors.size(); i++) {
            HelloReply reply = greetings.get(i);
            if (reply == null) {
                allKnown = false;
            } else {
                // Held slabs are this export's own, whether they stay in use or were just given back.
                slabs += reply.freeSlabs() + reply.heldSlabs();
                donor(i).met(reply.incarnation(), reply.totalSlabs(), reply.freeSlabs());
            }
        }
        long room = slabs * slabSize;
        if (room < context.size()) {
            String numbers = "--size " + context.size() + " bytes (" + mebibytes(context.size())
                    + ") is more than the donors" + " can hold now, " + room + " bytes (" + mebibytes(room) + ")";
            if (allKnown && !restoreFromFile) {
                throw new IOException(numbers + "; ask for less or add donors");
            }
            LOG.warn("{}; writes fail when they are full", numbers);
        }
    }

    private Hello hello(long claimed) {
        return new Hello(Protocol.VERSION, Protocol.VERSION, 0, claimed, instance, content, context.export());
    }

    private Donor donor(int index) {
        return connectors.get(index).donor();
    }

    private void closeState() throws IOException {
        StateFile file = state;
        state = null;
        if (file != null) {
            file.close();
        }
    }

    private static String key(int donor, UUID incarnation, int handle) {
        return donor + "/" + incarnation + "/" + handle;
    }

    private static String mebibytes(long bytes) {
        return (bytes >> 20) + "M";
    }

    private static <T> T present(@Nullable T value) {
        if (value == null) {
            throw new IllegalStateException("the export is not taken over yet");
        }
        return value;
    }

    private static <T> List<Result<T>> inParallel(List<Callable<T>> calls) throws IOException {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<T>> futures = new ArrayList<>();
            for (Callable<T> call : calls) {
                futures.add(threads.submit(call));
            }
            List<Result<T>> results = new ArrayList<>();
            for (Future<T> future : futures) {
                try {
                    results.add(new Result<>(future.get(), null));
                } catch (ExecutionException e) {
                    results.add(new Result<>(null, asIo(e.getCause())));
                }
            }
            return results;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private static IOException asIo(@Nullable Throwable cause) {
        return cause instanceof IOException io ? io : new IOException(String.valueOf(cause), cause);
    }

    private record Result<T>(@Nullable T value, @Nullable IOException problem) {

        IOException failure() {
            return problem != null ? problem : new IOException("no answer");
        }
    }

    private static final class FencedException extends IOException {

        @java.io.Serial
        private static final long serialVersionUID = 1L;

        FencedException(String message) {
            super(message);
        }
    }
}
