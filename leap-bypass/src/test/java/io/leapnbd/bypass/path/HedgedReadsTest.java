package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Reads of two copies, step by step: who is asked when, whose answer counts, and where answers go that come too late. docs/replicas.md, "Reads". */
class HedgedReadsTest {

    private static final int PAGE = 4096;
    private static final int SHIFT = 20;
    private static final byte POISON = (byte) 0xee;
    private static final int BAD = 0x66;
    private static final long PATIENCE = TimeUnit.MILLISECONDS.toNanos(1);
    private static final long TIMEOUT = TimeUnit.SECONDS.toNanos(8);

    private long now = TimeUnit.SECONDS.toNanos(1);
    private final SteppedLoop steps = new SteppedLoop(() -> now);
    private final Link[] links = {new Link(), new Link()};
    private final Member[] members = {member(0), member(1)};
    private final StateFile state = StateFile.inMemory(1L << SHIFT, SHIFT);
    private final AddressMap map = new AddressMap(state, 1L << SHIFT, SHIFT);
    private final WriteOrder order = new WriteOrder();
    private final PageSeals seals = PageSeals.of(map, order);
    private final SealFigures figures =
            new SealFigures(Arrays.stream(links).map(DonorLink::donor).toList());
    private final DeviceLoop loop = new DeviceLoop(
            steps,
            new LatencyRecorders().openLoop(),
            links,
            false,
            TIMEOUT,
            TimeUnit.SECONDS.toNanos(1),
            () -> now,
            () -> 0);
    private final Versions versions = new Versions(1);
    private final SlabLosses losses = new SlabLosses(
            map,
            versions,
            Arrays.stream(links).map(DonorLink::donor).toList(),
            (offset, length) -> {},
            slab -> {},
            slab -> {});
    private final List<ByteBuf> given = new ArrayList<>();
    private ReadPath reads = path(1);

    @BeforeEach
    void begin() throws IOException {
        assertThat(map.reserveSeals(0)).isTrue();
        map.map(0, Placement.of(1, List.of(members)));
        for (int page = 0; page < 200; page++) {
            write(page, page);
        }
    }

    @AfterEach
    void end() throws IOException {
        loop.close();
        for (Link link : links) {
            while (!link.asked.isEmpty()) {
                ends(link, link.asked.getFirst(), Outcome.UNREACHABLE);
            }
        }
        state.close();
        given.forEach(ByteBuf::release);
    }

    private static Member member(int donor) {
        return new Member(donor, UUID.randomUUID(), 7, 1);
    }

    /** Reads go to the first copy, unless that has failed, and are late after a millisecond. */
    private ReadPath path(int budget) {
        ReadChoice choice = new ReadChoice(loop, TIMEOUT) {
            @Override
            Member choose(Placement placement, @Nullable Member avoid) {
                return placement.member(avoid == placement.member(0) ? 1 : 0);
            }

            @Override
            long patience(Placement placement, Member from, int length) {
                return PATIENCE;
            }
        };
        PlacementChanges placing = new PlacementChanges(map, versions, losses, TIMEOUT, dropped -> {});
        Mending mending = new Mending(loop, map, order, versions, losses, placing, seals, figures);
        return new ReadPath(loop, map, losses, order, mending, choice, new ReadBudget(budget));
    }

    /** A link whose answers a test gives. */
    private static final class Link extends IdleLink {

        final List<LinkRequest> asked = new ArrayList<>();
        boolean throwsInPost;
        boolean writesLikeADevice;

        @Override
        public boolean ready() {
            return true;
        }

        @Override
        public void post(LinkRequest request) {
            if (throwsInPost) {
                throw new IllegalStateException("as scripted");
            }
            request.postNanos = request.startNanos;
            asked.add(request);
        }

        @Override
        public boolean onlyThisLoopWrites(LinkRequest request) {
            return !writesLikeADevice;
        }

        @Override
        public void each(Consumer<LinkRequest> to) {
            asked.forEach(to);
        }

        LinkRequest first() {
            return asked.getFirst();
        }
    }

    private static byte[] page(int value) {
        byte[] bytes = new byte[PAGE];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    /** What every copy has, as far as this server knows. */
    private void write(int page, int value) {
        ByteBuf bytes = Unpooled.directBuffer(PAGE).writeBytes(page(value));
        long offset = (long) page * PAGE;
        assertThat(order.begin(offset, PAGE)).isTrue();
        order.began(offset, PAGE, versions.next());
        seals.begin(offset, PAGE, bytes, 0);
        map.markWritten(offset, PAGE);
        seals.commit(offset, PAGE);
        order.end(offset, PAGE);
        bytes.release();
    }

    /** A client's read. */
    private final class Read {

        final ByteBuf into;
        int error = -1;
        int ends;

        Read(int page, int pages) {
            into = Unpooled.directBuffer(pages * PAGE);
            given.add(into);
            poison();
            ClientRequest client = loop.begin(Operation.READ, now, code -> {
                error = code;
                ends++;
            });
            reads.read(client, (long) page * PAGE, pages * PAGE, into, 0);
            client.endSplitting();
        }

        /** The buffer is given on to another client. */
        void poison() {
            into.setBytes(0, page(POISON));
        }

        void returns(int value) {
            assertThat(ends).isEqualTo(1);
            assertThat(error).isZero();
            holds(value);
        }

        void holds(int value) {
            byte[] bytes = new byte[PAGE];
            into.getBytes(0, bytes);
            assertThat(bytes).isEqualTo(page(value));
        }

        void waits() {
            assertThat(ends).isZero();
        }
    }

    private Read read(int page) {
        return new Read(page, 1);
    }

    private void pass(long nanos) {
        now += nanos;
        steps.turn();
    }

    /** A part of an answer comes, as it does over TCP. */
    private static void comes(LinkRequest request, int value, int from, int to) {
        Objects.requireNonNull(request.buffer).setBytes(request.bufferIndex + from, page(value), 0, to - from);
    }

    private void ends(Link link, LinkRequest request, Outcome how) {
        assertThat(link.asked.remove(request)).isTrue();
        request.outcome = how;
        request.completion.linkDone(request, now);
    }

    private void answers(Link link, int value) {
        LinkRequest request = link.first();
        comes(request, value, 0, PAGE);
        ends(link, request, Outcome.OK);
    }

    @Test
    void aReadThatIsAnsweredInTimeIsAskedOfOneCopyOnly() {
        Read read = read(3);
        pass(PATIENCE - 1);
        LinkRequest request = links[0].first();
        assertThat(request.inDueList).isTrue();
        answers(links[0], 3);
        read.returns(3);
        assertThat(request.inDueList).as("it goes back to a pool").isFalse();
        pass(10 * PATIENCE);
        assertThat(links[1].asked).isEmpty();
        assertThat(reads.hedges().sent()).isZero();
    }

    @Test
    void aReadThatTakesLongIsAskedOfTheOtherCopyAndTheFirstAnswerCounts() {
        Read read = read(3);
        pass(PATIENCE);
        assertThat(links[1].asked).hasSize(1);
        read.waits();
        answers(links[1], 3);
        read.returns(3);
        assertThat(reads.hedges()).isEqualTo(new HedgeCounts(1, 1, 0, 0));
        assertThat(links[0].asked).hasSize(1);
        answers(links[0], 3);
        assertThat(read.ends).isEqualTo(1);

        Read another = read(4);
        pass(PATIENCE);
        answers(links[0], 4);
        another.returns(4);
        answers(links[1], 4);
        assertThat(another.ends).isEqualTo(1);
        assertThat(reads.hedges()).isEqualTo(new HedgeCounts(2, 1, 0, 0));
        assertThat(reads.idle()).isTrue();
    }

    @Test
    void anAnswerThatComesTooLateTouchesNoBufferThatWasGivenOn() {
        Read read = read(3);
        pass(PATIENCE);
        // Half of it has come by then.
        LinkRequest late = links[0].first();
        comes(late, 3, 0, PAGE / 2);
        answers(links[1], 3);
        read.returns(3);
        read.poison();
        comes(late, BAD, PAGE / 2, PAGE);
        ends(links[0], late, Outcome.OK);
        read.holds(POISON);
        assertThat(reads.idle()).isTrue();
    }

    @Test
    void anAnswerToAHedgeThatComesTooLateTouchesNoHedgeThatHasItsBuffer() {
        Read read = read(3);
        pass(PATIENCE);
        LinkRequest late = links[1].first();
        answers(links[0], 3);
        read.returns(3);
        // The same buffer is taken again.
        Read another = read(4);
        pass(PATIENCE);
        LinkRequest second = links[1].asked.getLast();
        comes(second, 4, 0, PAGE);
        comes(late, BAD, 0, PAGE);
        ends(links[1], late, Outcome.OK);
        ends(links[1], second, Outcome.OK);
        another.returns(4);
    }

    @Test
    void aHedgeThatDoesNotFitItsSealDoesNotWin() {
        Read read = read(3);
        pass(PATIENCE);
        answers(links[1], BAD);
        read.waits();
        read.holds(POISON);
        assertThat(figures.unfit(1)).isEqualTo(1);
        answers(links[0], 3);
        read.returns(3);
        assertThat(reads.hedges().won()).isZero();
        assertThat(reads.idle()).isTrue();
    }

    @Test
    void whereTheFirstAnswerDoesNotFitItsSealTheHedgesIsTaken() {
        Read read = read(3);
        pass(PATIENCE);
        answers(links[0], BAD);
        read.waits();
        assertThat(figures.unfit(0)).isEqualTo(1);
        answers(links[1], 3);
        read.returns(3);
        assertThat(reads.idle()).isTrue();
    }

    @Test
    void whereNeitherFitsThePageIsReadAgain() {
        Read read = read(3);
        pass(PATIENCE);
        answers(links[0], BAD);
        answers(links[1], BAD);
        read.waits();
        assertThat(figures.unfit(0)).isEqualTo(1);
        assertThat(figures.unfit(1)).isEqualTo(1);
        LinkRequest again = links[0].asked.stream()
                .filter(one -> one.attachment != null)
                .findFirst()
                .orElseThrow();
        comes(again, 3, 0, PAGE);
        ends(links[0], again, Outcome.OK);
        read.returns(3);
    }

    @Test
    void whereNobodyAnswersTheReadIsAnError() {
        Read read = read(3);
        pass(PATIENCE);
        ends(links[0], links[0].first(), Outcome.UNREACHABLE);
        read.waits();
        pass(TIMEOUT);
        ends(links[1], links[1].first(), Outcome.UNREACHABLE);
        assertThat(read.ends).isEqualTo(1);
        assertThat(read.error).isEqualTo(NbdError.EIO.code());
        assertThat(reads.idle()).isTrue();
    }

    @Test
    void whereTheHedgeFailsTheFirstOneGoesOnAlone() {
        for (Outcome how : List.of(Outcome.UNREACHABLE, Outcome.REFUSED, Outcome.FENCED)) {
            Read read = read(3);
            pass(PATIENCE);
            ends(links[1], links[1].first(), how);
            read.waits();
            answers(links[0], 3);
            read.returns(3);
        }
        links[1].throwsInPost = true;
        Read read = read(4);
        pass(PATIENCE);
        answers(links[0], 4);
        read.returns(4);
        assertThat(reads.idle()).isTrue();
    }

    /** The bytes are those of before the write, which was acknowledged. */
    @Test
    void anAnswerThatIsOlderThanAWriteThatHasEndedDoesNotWin() {
        Read read = read(3);
        pass(PATIENCE);
        LinkRequest hedge = links[1].first();
        comes(hedge, 3, 0, PAGE);
        write(3, 99);
        ends(links[1], hedge, Outcome.OK);
        read.waits();
        answers(links[0], 99);
        read.returns(99);
        assertThat(figures.unfit(1)).as("it is not the donor's fault").isZero();
    }

    @Test
    void aPageThatWasTrimmedMeanwhileIsZerosWhateverTheHedgeBrings() {
        Read read = read(3);
        pass(PATIENCE);
        LinkRequest hedge = links[1].first();
        comes(hedge, 3, 0, PAGE);
        map.markBlank(3 * PAGE, PAGE);
        ends(links[1], hedge, Outcome.OK);
        read.returns(0);
    }

    /** FAULTS of one-sided reads: what the device has begun, it ends. */
    @Test
    void whatADeviceReadsIntoTheClientsBufferIsNotHedged() {
        links[0].writesLikeADevice = true;
        Read read = read(3);
        pass(PATIENCE);
        assertThat(links[1].asked).isEmpty();
        answers(links[0], 3);
        read.returns(3);
    }

    @Test
    void aHedgeDoesNotWinAsLongAsTheFirstOneCannotBeCalledOff() {
        Read read = read(3);
        pass(PATIENCE);
        links[0].writesLikeADevice = true;
        answers(links[1], 3);
        read.waits();
        answers(links[0], 3);
        read.returns(3);
        assertThat(reads.hedges().won()).isZero();
        assertThat(reads.idle()).isTrue();
    }

    /** Its buffer is not given to another hedge before it has ended. */
    @Test
    void theBufferOfAHedgeThatCannotBeCalledOffIsKeptForIt() {
        Read read = read(3);
        pass(PATIENCE);
        links[1].writesLikeADevice = true;
        LinkRequest late = links[1].first();
        answers(links[0], 3);
        read.returns(3);
        assertThat(reads.idle()).isFalse();
        Read another = read(4);
        pass(PATIENCE);
        LinkRequest second = links[1].asked.getLast();
        assertThat(second.buffer).isNotSameAs(late.buffer);
        ends(links[1], late, Outcome.OK);
        answers(links[0], 4);
        another.returns(4);
        ends(links[1], second, Outcome.OK);
        assertThat(reads.idle()).isTrue();
    }

    @Test
    void noMoreThanFivePercentAreAskedInAddition() {
        reads = path(ReadBudget.ONE_IN);
        for (int i = 0; i < 1000; i++) {
            Read read = read(i % 200);
            pass(PATIENCE);
            answers(links[0], i % 200);
            read.returns(i % 200);
            if (!links[1].asked.isEmpty()) {
                answers(links[1], i % 200);
            }
        }
        assertThat(reads.hedges()).isEqualTo(new HedgeCounts(50, 0, 950, 0));
    }

    /** What was asked for just before it stopped need not wait until it is late itself. */
    @Test
    void whereADonorStandsStillAllReadsThatItOwesAreAskedOfTheOther() {
        Read read = read(3);
        pass(PATIENCE - 1);
        Read later = read(4);
        pass(1);
        assertThat(links[1].asked).hasSize(2);
        answers(links[1], 3);
        answers(links[1], 4);
        read.returns(3);
        later.returns(4);
    }

    @Test
    void whereADonorAnswersOthersOnlyTheLateReadIsAskedOfTheOther() {
        Read read = read(3);
        pass(PATIENCE - 2);
        Read between = read(5);
        pass(1);
        Read later = read(4);
        LinkRequest answered = links[0].asked.get(1);
        comes(answered, 5, 0, PAGE);
        ends(links[0], answered, Outcome.OK);
        between.returns(5);
        pass(1);
        assertThat(links[1].asked).hasSize(1);
        answers(links[1], 3);
        read.returns(3);
        later.waits();
    }

    @Test
    void hedgesHaveABoundedNumberOfBuffersAndGoOnWithoutWhenTheseAreTaken() {
        List<Read> all = IntStream.range(0, 40).mapToObj(this::read).toList();
        pass(PATIENCE);
        assertThat(links[1].asked).hasSize(32);
        assertThat(reads.hedges()).isEqualTo(new HedgeCounts(32, 0, 8, 0));
        for (int page = 0; page < 40; page++) {
            answers(links[0], page);
        }
        for (int page = 0; page < 40; page++) {
            all.get(page).returns(page);
        }
        assertThat(reads.idle()).isTrue();
    }

    @Test
    void aReadOfManyPagesIsHedgedUpTo128KiB() {
        Read read = new Read(0, 32);
        Read longer = new Read(0, 33);
        pass(PATIENCE);
        assertThat(links[1].asked).hasSize(1);
        LinkRequest hedge = links[1].first();
        for (int page = 0; page < 32; page++) {
            comes(hedge, page, 0, 0);
            Objects.requireNonNull(hedge.buffer).setBytes(hedge.bufferIndex + page * PAGE, page(page));
        }
        ends(links[1], hedge, Outcome.OK);
        assertThat(read.error).isZero();
        for (int page = 0; page < 32; page++) {
            assertThat(read.into.getByte(page * PAGE + 5)).isEqualTo((byte) page);
        }
        longer.waits();
    }

    /** A slab that is taken back while it is asked a second time is not asked again. */
    @Test
    void aHedgeThatFindsTheSlabGoneTellsSo() {
        Read read = read(3);
        pass(PATIENCE);
        ends(links[1], links[1].first(), Outcome.LOST);
        assertThat(Objects.requireNonNull(map.placement(0)).has(members[1])).isFalse();
        answers(links[0], 3);
        read.returns(3);
    }
}
