package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.cipher.LifeKeys;
import io.leapnbd.bypass.link.Conversation;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.link.Greeted;
import io.leapnbd.bypass.link.NoAnswerException;
import io.leapnbd.bypass.link.RefusedException;
import io.leapnbd.bypass.link.UnnamedDonorException;
import io.leapnbd.bypass.map.DeviceNeed;
import io.leapnbd.bypass.map.LockedStateFile;
import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.map.StateHeader;
import io.leapnbd.bypass.path.Versions;
import io.leapnbd.bypass.takeover.Verdict.ClaimOrder;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import io.leapnbd.bypass.takeover.Verdict.Source;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import java.io.IOException;
import java.io.Serial;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes an export: survey, check, intent, claim, list, plan, execution, as {@code docs/ownership.md} numbers them. Check and plan are pure
 * and elsewhere; this is what touches donors and the file, in the order that makes a kill at any point harmless.
 *
 * <p>Blocking; used once, by one thread.
 */
public final class Takeover {

    private static final Logger LOG = LoggerFactory.getLogger(Takeover.class);

    private static final int ATTEMPTS = 3;
    private static final long SURVEY_AGAIN_MILLIS = 500;

    /** How long a server may believe that it owns the export after it asked a donor that said so; see docs/ownership.md. */
    public static final long SELF_ANSWER_MILLIS = 1_000;

    /** For clocks that do not run alike, and times that are told in milliseconds. */
    private static final long MARGIN_MILLIS = 100;

    private final TakeoverSettings settings;
    private final List<DonorConnector> connectors;
    private final StartClock clock;
    private final UUID instance = UUID.randomUUID();
    private String waitedFor = "";

    /** Nothing is asked yet. */
    public Takeover(TakeoverSettings settings, List<DonorConnector> connectors) {
        this(settings, connectors, StartClock.OF_THE_MACHINE);
    }

    /** Likewise, by another clock. */
    Takeover(TakeoverSettings settings, List<DonorConnector> connectors, StartClock clock) {
        this.settings = settings;
        this.connectors = connectors;
        this.clock = clock;
    }

    /**
     * Does it all.
     *
     * @throws IOException if the export cannot be taken; the message is one sentence for the operator. Unless somebody else began to take
     *     it at the same moment, nothing has been changed anywhere
     */
    public TakenExport take() throws IOException {
        long deadline = clock.nanoTime() + settings.patience().toNanos();
        int conflicts = 0;
        while (true) {
            LockedStateFile locked = LockedStateFile.open(settings.stateFile(), settings.fresh());
            boolean taken = false;
            try (Survey survey = new Survey(settings.export(), connectors)) {
                Recorded recorded = RecordedFile.of(locked);
                List<Greeting> greetings = survey.observe(!settings.takeOver());
                Verdict verdict = TakeoverCheck.check(recorded, greetings, settings.options(locked.boot()));
                switch (verdict) {
                    case Refused refused -> {
                        if (refused.waitFor().isEmpty()) {
                            String unnamed = refused.unnamed();
                            throw unnamed == null
                                    ? new IOException(refused.sentence())
                                    : new UnnamedDonorException(refused.sentence(), unnamed);
                        }
                        failIfRefused(refused, greetings);
                        if (clock.nanoTime() - deadline >= 0) {
                            throw new NoAnswerException(refused.sentence());
                        }
                        sayWaiting(refused);
                    }
                    case Granted granted -> {
                        checkSecret(granted, locked);
                        int slabSize = survey.reply(granted.claims().getFirst().donor())
                                .slabSize();
                        int copies = copies(greetings, granted);
                        DeviceNeed.check(
                                settings.size(),
                                slabSize,
                                copies,
                                settings.stateFile(),
                                settings.encryption().kind());
                        TakenExport export = new Start(survey, locked, recorded, granted, copies).run();
                        taken = true;
                        return export;
                    }
                }
            } catch (ConflictException e) {
                conflicts++;
                if (conflicts == ATTEMPTS) {
                    throw e;
                }
            } finally {
                if (!taken) {
                    locked.close();
                }
            }
            clock.pause(SURVEY_AGAIN_MILLIS);
        }
    }

    /**
     * Of a slab, by the room that donors say they have; where that is a default, no fewer than the server before had. A donor that is silent, or wants its
     * memory back, says that it has no room.
     */
    private int copies(List<Greeting> greetings, Granted verdict) {
        List<Long> rooms = greetings.stream()
                .filter(greeting -> !connectors.get(greeting.donor()).donor().lastResort())
                .map(greeting -> {
                    Greeting.Found found = greeting.found();
                    return found == null ? 0 : (long) (found.freeSlabs() + found.heldSlabs()) * found.slabSize();
                })
                .toList();
        int before = verdict.content() == null ? 0 : verdict.note().copies();
        int granted = settings.copies().granted(settings.size(), rooms, before);
        if (granted > Math.max(1, settings.copies().fitting(settings.size(), rooms))) {
            LOG.warn(
                    "the donors that answer have no room for {} copies of {} MiB: some pages will have fewer, or writes will fail;"
                            + " add donors or memory",
                    granted,
                    settings.size() >> 20);
        }
        return granted;
    }

    /** Before anything is claimed. */
    private void checkSecret(Granted granted, LockedStateFile locked) throws IOException {
        StateFile file = locked.found();
        if (granted.source() != Source.FILE
                || file == null
                || !settings.encryption().kind().encrypts()) {
            return;
        }
        String export = "export " + Words.printable(settings.export());
        UUID content = file.header().content();
        byte[] given = settings.encryption().secret();
        if (given == null && !file.seals().secret().isHere()) {
            throw new IOException(
                    "the pages of " + export
                            + " are encrypted with a key that is kept elsewhere; give it with --key-file, or start blank with --fresh");
        }
        if (given != null && file.seals().secret().isHere()) {
            throw new IOException(
                    "the pages of " + export
                            + " are encrypted with a key that the state file holds; leave --key-file out, or start blank with --fresh");
        }
        if (given == null
                ? !file.seals().secret().isWhole(content)
                : !file.seals().secret().isOf(content, given)) {
            throw new IOException("the pages of " + export + " are encrypted with another key than "
                    + (given == null ? "the state file holds" : "--key-file has")
                    + "; give the right one, or start blank with --fresh");
        }
    }

    /** Waiting is of no use where all that is waited for are there, and do not serve this server. */
    private static void failIfRefused(Refused verdict, List<Greeting> greetings) throws RefusedException {
        String why = null;
        for (Greeting greeting : greetings) {
            if (!verdict.waitFor().contains(greeting.address()) || greeting.found() != null) {
                continue;
            }
            if (!greeting.refused()) {
                return;
            }
            why = why == null ? "donor " + greeting.address() + " " + greeting.problem() : why;
        }
        if (why != null) {
            throw new RefusedException(why);
        }
    }

    /** Once for each set of donors, so that an operator knows what a start hangs on. */
    private void sayWaiting(Refused refused) {
        String donors = String.join(", ", refused.waitFor());
        if (!donors.equals(waitedFor)) {
            waitedFor = donors;
            LOG.warn(
                    "waiting up to {} s for donor {}: {}", settings.patience().toSeconds(), donors, refused.sentence());
        }
    }

    /** From the permission to the end: steps 3 to 7. */
    private final class Start {

        private final Survey survey;
        private final LockedStateFile locked;
        private final @Nullable Recorded recorded;
        private final Granted granted;
        private final UUID content;
        private final int slabSize;
        private final int copies;
        private final int slabShift;
        private final long[] epochs = new long[connectors.size()];
        private final ExportNote note;
        private int goneSlabs;

        /** Until when the server before may believe that it owns the export, as the clock has it. */
        private final AtomicLong oldOwnerUntil = new AtomicLong(Long.MIN_VALUE);

        Start(Survey survey, LockedStateFile locked, @Nullable Recorded recorded, Granted granted, int copies) {
            this.survey = survey;
            this.copies = copies;
            this.locked = locked;
            this.recorded = recorded;
            this.granted = granted;
            UUID known = granted.content();
            content = known == null ? UUID.randomUUID() : known;
            slabSize = survey.reply(granted.claims().getFirst().donor()).slabSize();
            slabShift = Integer.numberOfTrailingZeros(slabSize);
            note = TakeoverNotes.atClaim(
                    granted, settings.size(), slabShift, TakeoverNotes.lost(granted, locked.found()), survey::address);
            note.copies(copies);
            note.encrypted(settings.encryption().kind(), locked.goesWithTheMachine() ? locked.boot() : Note.LASTING);
        }

        TakenExport run() throws IOException {
            int members = note.now().members().size();
            if (members > Note.MAX_MEMBERS) {
                throw new IOException("export " + Words.printable(settings.export()) + " had donors at " + members
                        + " addresses, and " + Note.MAX_MEMBERS
                        + " can be remembered; leave out those that are gone, with --lose-missing");
            }
            granted.warnings().forEach(warning -> LOG.warn("{}", warning));
            String ignored = locked.ignored();
            if (ignored != null) {
                LOG.warn("{}; it is not used", ignored);
            }
            StateFile file = intend();
            boolean done = false;
            try {
                claim();
                List<HeldSlabs> held = list();
                TakeoverPlan plan = TakeoverPlan.of(granted, recorded, file.slabs(), held);
                tellCopies(plan);
                execute(file, plan);
                file.own(instance, content, granted.term(), locked.boot());
                file.beginLife(settings.encryption().secret());
                TakeoverNotes.forgetDonors(file, granted);
                TakeoverNotes.exact(note, granted, file);
                tellNote();
                free(plan);
                awaitOldOwner();
                confirm();
                List<DonorStanding> standings =
                        TakeoverNotes.standings(file, granted, connectors.size(), donor -> epochs[donor]);
                file.bind(places(standings), granted.waiting().keySet());
                done = true;
                return new TakenExport(
                        instance, content, granted.term(), slabSize, copies, file, locked, note, standings);
            } finally {
                if (!done) {
                    file.abandon();
                }
            }
        }

        /** Step 3: the file knows who is about to claim, before any donor does. */
        private StateFile intend() throws IOException {
            StateFile file;
            UUID boot = locked.boot();
            if (granted.source() == Source.FILE) {
                file = locked.take();
                goneSlabs = TakeoverExecution.loseGone(file, granted);
                if (!granted.complete()) {
                    boot = StateHeader.NOBODY;
                }
            } else {
                file = locked.create(
                        settings.size(), slabShift, settings.encryption().kind());
                keepSecret(file);
            }
            if (!settings.seals() && !settings.encryption().kind().encrypts()) {
                file.seals().keepNone();
            }
            file.claiming(instance, granted.term(), boot);
            return file;
        }

        private void keepSecret(StateFile file) {
            byte[] given = settings.encryption().secret();
            if (given != null) {
                file.seals().secret().remember(content, given);
            } else if (settings.encryption().kind().encrypts()) {
                file.seals().secret().keep(content, LifeKeys.drawSecret());
            }
        }

        /**
         * Step 4: of two servers that begin at the same time one wins at the first donor, and takes the rest undisturbed. Donors that know of
         * these contents come first: their notes name the others, before any of these is claimed.
         */
        private void claim() throws IOException {
            claim(granted.members());
            claim(granted.others());
        }

        private void claim(List<ClaimOrder> orders) throws IOException {
            if (!orders.isEmpty()) {
                claim(orders.getFirst());
                Parallel.run(orders.size() - 1, i -> claim(orders.get(i + 1)));
            }
        }

        private void claim(ClaimOrder order) throws IOException {
            Greeted greeted = survey.with(order.donor())
                    .hello(Hello.claim(
                            settings.export(),
                            0,
                            order.blank(),
                            order.epoch(),
                            order.found(),
                            survey.reply(order.donor()).noteVersion(),
                            content,
                            instance,
                            granted.term(),
                            settings.host(),
                            settings.owner(),
                            note.encode()));
            HelloReply reply = greeted.reply();
            if (greeted.status() == Status.CONFLICT) {
                throw new ConflictException("another server "
                        + (reply == null ? "" : "(" + Words.printable(reply.owner()) + ") ")
                        + "began to serve export " + Words.printable(settings.export()) + " at donor "
                        + survey.address(order.donor()) + " at the same moment; only one may");
            }
            if (greeted.status() != Status.OK || reply == null) {
                throw new IOException("donor " + survey.address(order.donor()) + " refused the claim: "
                        + Status.name(greeted.status()));
            }
            epochs[order.donor()] = reply.epoch();
            if (granted.source() != Source.BLANK) {
                // A donor process that has just begun does not know what the one before has answered.
                long left = SELF_ANSWER_MILLIS + MARGIN_MILLIS - Math.max(0, reply.answeredMillisAgo());
                long until = clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(left);
                long _ = oldOwnerUntil.accumulateAndGet(until, Math::max);
            }
        }

        /** Step 5: only now nothing changes any more. */
        private List<HeldSlabs> list() throws IOException {
            List<ClaimOrder> orders = granted.claims();
            HeldSlabs[] held = new HeldSlabs[orders.size()];
            Parallel.run(orders.size(), i -> {
                ClaimOrder order = orders.get(i);
                HeldSlabs list = new HeldSlabs(
                        order.donor(),
                        order.incarnation(),
                        order.blank() ? 0 : survey.reply(order.donor()).heldSlabs());
                survey.with(order.donor()).list(list::add);
                held[i] = list;
            });
            return Arrays.asList(held);
        }

        /** Step 7: each donor's slabs by a thread of its own, those of nobody by one more. */
        private void execute(StateFile file, TakeoverPlan plan) throws IOException {
            TakeoverNotes.putDonors(file, granted, survey::address, donor -> epochs[donor], instance);
            TakeoverExecution execution =
                    new TakeoverExecution(file, this::marks, Versions.beforeGrants(granted.term()));
            int threads = connectors.size() + 1;
            Parallel.run(threads, thread -> {
                for (int slab = 0; slab < plan.slabs(); slab++) {
                    PlannedSlab planned = plan.planned(slab);
                    int donor = planned == null ? -1 : planned.first().donor();
                    if (thread == (donor < 0 ? threads - 1 : donor)) {
                        execution.apply(plan, slab);
                    }
                }
            });
            report(file, plan, execution);
        }

        private void report(StateFile file, TakeoverPlan plan, TakeoverExecution execution) {
            long kept = 0;
            for (int slab = 0; slab < plan.slabs(); slab++) {
                if (file.isPlaced(slab)) {
                    kept++;
                }
            }
            if (granted.source() != Source.BLANK) {
                LOG.info(
                        "found {} slabs of export {} again, by {}",
                        kept,
                        Words.printable(settings.export()),
                        granted.source() == Source.FILE ? "the state file" : "the donors' lists");
            }
            long lost = goneSlabs + execution.lostSlabs();
            if (lost > 0) {
                LOG.warn(
                        "{} slabs are lost, because no donor holds them any more; reading a page of theirs is an I/O error"
                                + " until it is written again (--fresh would start blank)",
                        lost);
            }
            if (plan.unexplained() > 0) {
                LOG.warn("donors hold {} slabs for nothing that is known; they stay", plan.unexplained());
            }
        }

        private TakeoverExecution.@Nullable PageMarks marks(int donor, int handle) throws IOException {
            if (granted.waiting().containsValue(donor)) {
                return null;
            }
            Conversation conversation = survey.with(donor);
            BitSet written = new BitSet();
            BitSet lost = new BitSet();
            int page = 0;
            for (int offset = 0; offset < slabSize; ) {
                int length = Math.min(slabSize - offset, PageMarks.MAX_RANGE);
                PageMarks marks = conversation.pages(handle, offset, length);
                for (int i = 0; i < marks.pages(); i++) {
                    written.set(page + i, marks.written(i));
                    lost.set(page + i, marks.lost(i));
                }
                page += marks.pages();
                offset += length;
            }
            return new TakeoverExecution.PageMarks(written, lost);
        }

        /** Docs/replicas.md, rule 1: before a slab's row names its copies, each of them names the others. */
        private void tellCopies(TakeoverPlan plan) throws IOException {
            Parallel.run(connectors.size(), donor -> {
                for (int slab = 0; slab < plan.slabs(); slab++) {
                    PlannedSlab planned = plan.planned(slab);
                    if (planned != null && planned.untold()) {
                        for (PlannedSlab.Copy copy : planned.copies()) {
                            if (copy.donor() == donor && copy.heard() && copy.state() == State.LIVE) {
                                tellCopy(copy, planned.live());
                            }
                        }
                    }
                }
            });
        }

        private void tellCopy(PlannedSlab.Copy copy, List<SlabName> live) throws IOException {
            byte status = survey.with(copy.donor())
                    .place(copy.handle(), Versions.beforeGrants(granted.term()), SlabCopies.live(live));
            if (status != Status.OK) {
                throw new IOException(
                        "donor " + survey.address(copy.donor()) + " did not take a placement: " + Status.name(status));
            }
        }

        private void tellNote() throws IOException {
            List<ClaimOrder> orders = granted.claims();
            Parallel.run(orders.size(), i -> survey.with(orders.get(i).donor()).note(note.encode(), note.version()));
        }

        private void free(TakeoverPlan plan) throws IOException {
            List<TakeoverPlan.Superseded> superseded = plan.superseded();
            for (TakeoverPlan.Superseded one : superseded) {
                byte status = survey.with(one.donor()).free(one.handle(), one.generation());
                if (status != Status.OK) {
                    LOG.warn(
                            "donor {} keeps a slab that is not in use: {}",
                            survey.address(one.donor()),
                            Status.name(status));
                }
            }
        }

        /** A server that was pushed aside answers from its cache for so long after the last word of a donor. */
        private void awaitOldOwner() throws IOException {
            long until = oldOwnerUntil.get();
            if (until != Long.MIN_VALUE) {
                clock.pause(Math.max(0, TimeUnit.NANOSECONDS.toMillis(until - clock.nanoTime())));
            }
        }

        /**
         * The last word before {@code ready}: every donor that was claimed still says that the export is this server's. One that has ended since
         * may have been claimed anew, by the owner before.
         */
        private void confirm() throws IOException {
            try {
                tellNote();
            } catch (IOException e) {
                throw new ConflictException("while the export was taken over, " + e.getMessage());
            }
        }

        private static Map<UUID, Integer> places(List<DonorStanding> standings) {
            Map<UUID, Integer> places = new HashMap<>();
            for (int i = 0; i < standings.size(); i++) {
                UUID incarnation = standings.get(i).incarnation();
                if (incarnation != null) {
                    places.put(incarnation, i);
                }
            }
            return places;
        }
    }

    /** Somebody else claimed between our look and our claim. */
    private static final class ConflictException extends IOException {

        @Serial
        private static final long serialVersionUID = 1L;

        ConflictException(String message) {
            super(message);
        }
    }
}
