package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** What must not happen on the data path, one fault at a time, over donors that follow a script. */
class DataPathFaultsTest extends ScriptedDeviceTests {

    /** For so long after a donor's answer nobody is asked. */
    private static final Duration LEASE = Duration.ofSeconds(1);

    private void open(int slabs, int donors, long timeoutMillis) throws IOException {
        open(slabs, donors, 1, timeoutMillis);
    }

    /** B2: scheduleAtFixedRate ends with the first throw, and with it every deadline of the loop. */
    @Test
    void aTickThatThrowsIsNotTheLastOne() throws IOException {
        open(4, 1, 300);
        ScriptedStore.Link link = device.links.getFirst();
        link.throwsInTick = true;
        // No donor is reachable, so the write waits for memory until its deadline, which a tick has to see.
        link.down = true;
        assertThat(driver.write(0, page(1))).isEqualTo(NbdError.EIO.code());
        link.down = false;
        link.throwsInTick = false;
        assertThat(driver.write(0, page(2))).isZero();
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
    }

    /** B2. */
    @Test
    void aPostThatThrowsEndsItsRequestAndNoOther() throws IOException {
        open(4, 1, 20_000);
        assertThat(driver.write(0, page(1))).isZero();
        ScriptedStore.Link link = device.links.getFirst();
        link.throwsInPost = true;
        assertThat(driver.readError(0, PAGE)).isEqualTo(NbdError.EIO.code());
        assertThat(driver.write(0, page(2))).isEqualTo(NbdError.EIO.code());
        link.throwsInPost = false;
        assertThat(driver.write(PAGE, page(3))).isZero();
        assertThat(driver.write(0, page(4))).isZero();
        assertThat(driver.read(0, 2 * PAGE)).isEqualTo(concat(page(4), page(3)));
    }

    /** B2: a state file that cannot be written (a full tmpfs) made the write's reply never come. */
    @Test
    void aCompletionThatThrowsEndsItsRequestWithAnErrorAndNothingElse() throws IOException {
        open(4, 1, 20_000);
        assertThat(driver.write(0, page(1))).isZero();
        device.stores.getFirst().holdsEverything = true;
        CompletableFuture<Integer> write = driver.startWrite(SLAB, page(2));
        DeviceDriver.Read read = driver.startRead(0, PAGE);
        driver.awaitTurn();
        device.closeState();
        device.stores.getFirst().holdsEverything = false;
        onLoop(loop -> device.links.getFirst().letGo());

        assertThat(DeviceDriver.join(write)).isEqualTo(NbdError.EIO.code());
        // What the page has to be was written down there, too.
        assertThat(DeviceDriver.join(read.error())).isEqualTo(NbdError.EIO.code());
        assertThat(driver.write(0, page(3))).isEqualTo(NbdError.EIO.code());
        assertThat(driver.trim(0, PAGE)).isEqualTo(NbdError.EIO.code());
        assertThat(driver.readError(0, PAGE)).isEqualTo(NbdError.EIO.code());
    }

    /** B2: what a client does when it is told must not end others' requests. */
    @Test
    void aClientThatThrowsWhenItIsToldEndsNobodyElsesRequest() throws IOException {
        open(4, 1, 20_000);
        assertThat(driver.write(0, page(1))).isZero();
        ByteBuf into = Unpooled.directBuffer(PAGE);
        CompletableFuture<Integer> _ = driver.submit((queue, done) -> queue.read(0, PAGE, into, 0, error -> {
            done.complete(error);
            throw new IllegalStateException("as the test wants");
        }));
        for (int i = 0; i < 10; i++) {
            assertThat(driver.read(0, PAGE)).isEqualTo(page(1));
        }
        into.release();
    }

    /** B3: a donor that is stopped had each grant for the client's whole time, and the next attempt began expired. */
    @Test
    void aDonorThatDoesNotAnswerAGrantIsPassedOverAndItsLateGrantsAreGivenBack() throws IOException {
        int slabs = 32;
        open(slabs, 2, 20_000);
        ScriptedStore stopped = device.stores.getFirst();
        stopped.holdsEverything = true;
        List<CompletableFuture<Integer>> writes = new ArrayList<>();
        for (int slab = 0; slab < slabs; slab++) {
            writes.add(driver.startWrite((long) slab * SLAB, page(slab + 1)));
        }
        writes.forEach(write -> assertThat(DeviceDriver.join(write)).isZero());
        for (int slab = 0; slab < slabs; slab++) {
            assertThat(Objects.requireNonNull(device.map.placement(slab))
                            .primary()
                            .donor())
                    .isEqualTo(1);
        }
        stopped.holdsEverything = false;
        onLoop(loop -> device.links.getFirst().letGo());

        Await.until(() -> stopped.held() == 0 && stopped.underWay.get() == 0);
        for (int slab = 0; slab < slabs; slab++) {
            assertThat(driver.read((long) slab * SLAB, PAGE)).isEqualTo(page(slab + 1));
        }
    }

    /** G8: a server that was replaced while it was stopped gave out zeros for pages that it took for blank. */
    @Test
    void aBlankPageIsNotAnsweredByAServerThatMayHaveBeenReplaced() throws IOException {
        open(4, 2, 20_000);
        assertThat(driver.read(0, PAGE)).containsOnly(0);
        assertThat(device.stores.getFirst().pings.get()).isEqualTo(1);
        device.clock.advance(LEASE);
        device.stores.forEach(store -> store.fenced = true);

        assertThat(driver.readError(PAGE, PAGE)).isEqualTo(NbdError.EIO.code());
        assertThat(driver.trim(PAGE, PAGE)).isEqualTo(NbdError.EIO.code());
        assertThat(driver.zero(2 * PAGE, PAGE, false)).isEqualTo(NbdError.EIO.code());
        assertThat(DeviceDriver.join(
                        driver.submit((queue, done) -> queue.blockStatus(0, SLAB, 4, (bytes, flags) -> {}, done))))
                .isEqualTo(NbdError.EIO.code());
    }

    /** G8. */
    @Test
    void withinTheLeaseNobodyIsAskedAndAfterItOnce() throws IOException {
        open(4, 1, 20_000);
        device.clock.stop();
        readBlankPages();
        assertThat(device.stores.getFirst().pings).hasValue(1);
        device.clock.advance(LEASE.minusNanos(1));
        readBlankPages();
        assertThat(device.stores.getFirst().pings).hasValue(1);
        device.clock.advance(Duration.ofNanos(1));
        readBlankPages();
        assertThat(device.stores.getFirst().pings).hasValue(2);
    }

    private void readBlankPages() {
        for (int i = 0; i < 100; i++) {
            assertThat(driver.read((long) i % 8 * PAGE, PAGE)).containsOnly(0);
        }
    }

    /** G8: cached pages too. */
    @Test
    void aCachedPageIsNotGivenOutByAServerThatMayHaveBeenReplaced() throws IOException {
        open(4, 1, 20_000);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.cache(0, PAGE)).isZero();
        Await.until(() -> device.cache.figures().adds() == 1);
        device.clock.advance(LEASE);
        device.stores.getFirst().fenced = true;
        assertThat(driver.readError(0, PAGE)).isEqualTo(NbdError.EIO.code());
    }

    /** A question has the client's deadline. */
    @Test
    void aQuestionThatNobodyAnswersEndsAtTheDeadlineOfTheRequest() throws IOException {
        open(4, 1, 300);
        device.stores.getFirst().holdsEverything = true;
        assertThat(driver.readError(0, PAGE)).isEqualTo(NbdError.EIO.code());
    }

    /** A10: the cache was not told of a loss, nor of zeros for what was lost. */
    @Test
    void aPageThatWasCachedBeforeItsSlabWasLostIsNotReadAfterZerosWereWritten() throws IOException {
        open(4, 1, 20_000);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.cache(0, PAGE)).isZero();
        Await.until(() -> device.cache.figures().adds() == 1);
        device.stores.getFirst().restart();
        Await.until(() -> device.map.pagesLost() > 0);

        assertThat(driver.readError(0, PAGE)).isEqualTo(NbdError.EIO.code());
        assertThat(driver.zero(0, PAGE, false)).isZero();
        assertThat(driver.read(0, PAGE)).containsOnly(0);
        assertThat(device.cache.isEmpty()).isTrue();
    }

    /** Part 4: an answer about a placement that is not the present one counts for nothing. */
    @Test
    void aWriteThatWasDoneWhereTheSlabIsNoMoreIsDoneAgainWhereItIs() throws IOException {
        open(4, 1, 20_000);
        assertThat(driver.write(0, page(1))).isZero();
        ScriptedStore store = device.stores.getFirst();
        store.holdsAnswers = true;
        CompletableFuture<Integer> write = driver.startWrite(0, page(2));
        CompletableFuture<Integer> trim = driver.startTrim(PAGE, PAGE);
        Await.until(() -> store.underWay.get() == 1 || store.underWay.get() == 2);
        Await.until(() -> device.links.getFirst().answersHeld() >= 1);
        store.holdsAnswers = false;
        store.restart();
        Await.until(() -> device.map.pagesLost() > 0);
        assertThat(write).isNotDone();
        onLoop(loop -> device.links.getFirst().letAnswersGo());

        assertThat(DeviceDriver.join(write)).isZero();
        assertThat(DeviceDriver.join(trim)).isZero();
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
        assertThat(driver.read(PAGE, PAGE)).containsOnly(0);
    }

    /** A2: a slab that is taken back while a read of it is under way is looked for again, and what is lost is an error. */
    @Test
    void aSlabThatIsTakenBackUnderReadsAndWritesIsLostOnceAndWrittenAnew() throws IOException {
        open(4, 1, 20_000);
        assertThat(driver.write(0, page(1))).isZero();
        ScriptedStore store = device.stores.getFirst();
        store.holdsEverything = true;
        List<DeviceDriver.Read> reads = new ArrayList<>();
        List<CompletableFuture<Integer>> writes = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            reads.add(driver.startRead(0, PAGE));
            writes.add(driver.startWrite((long) (i + 1) * PAGE, page(i)));
        }
        driver.awaitTurn();
        store.takeBackAny();
        store.holdsEverything = false;
        onLoop(loop -> device.links.getFirst().letGo());

        reads.forEach(read -> assertThat(DeviceDriver.join(read.error())).isEqualTo(NbdError.EIO.code()));
        writes.forEach(write -> assertThat(DeviceDriver.join(write)).isZero());
        for (int i = 0; i < 8; i++) {
            assertThat(driver.read((long) (i + 1) * PAGE, PAGE)).isEqualTo(page(i));
        }
        assertThat(driver.readError(0, PAGE)).isEqualTo(NbdError.EIO.code());
    }

    /** F7: a trim had a request for each slab at once; four clients with 256 of them crashed the server. */
    @Test
    void aTrimOfManySlabsHasFewRequestsUnderWayAtATime() throws IOException {
        int slabs = 200;
        open(slabs, 1, 20_000);
        for (int slab = 0; slab < slabs; slab++) {
            assertThat(driver.write((long) slab * SLAB, page(1))).isZero();
        }
        ScriptedStore store = device.stores.getFirst();
        store.mostUnderWay.set(0);
        assertThat(driver.trim(PAGE / 2, (long) slabs * SLAB - PAGE)).isZero();

        assertThat(store.mostUnderWay.get()).isBetween(1, ZeroWalk.MOST_PARTS);
        assertThat(driver.read(PAGE, PAGE)).containsOnly(0);
        assertThat(driver.read((long) (slabs - 1) * SLAB, PAGE)).containsOnly(0);
        assertThat(driver.read(0, PAGE)).isEqualTo(halfOf(page(1)));
    }

    /** F6, F7: nothing is asked and nothing is made for what is blank anyway. */
    @Test
    void aTrimOfBlankSlabsAsksNobody() throws IOException {
        open(5_000, 1, 20_000);
        device.clock.stop();
        assertThat(driver.read(0, PAGE)).containsOnly(0);
        ScriptedStore store = device.stores.getFirst();
        store.mostUnderWay.set(0);
        assertThat(driver.trim(0, device.size())).isZero();
        assertThat(store.mostUnderWay).hasValue(0);
    }

    /** B7: the place of the error is told, for clients that understand it. */
    @Test
    void aReadOfALostPageSaysWhichOneItIs() throws IOException {
        open(4, 1, 20_000);
        assertThat(driver.write(3 * PAGE, page(1))).isZero();
        device.stores.getFirst().restart();
        Await.until(() -> device.map.pagesLost() > 0);
        AtomicLong place = new AtomicLong(-1);
        ByteBuf into = Unpooled.directBuffer(8 * PAGE);
        int error = DeviceDriver.join(driver.submit((queue, done) -> queue.read(0, 8 * PAGE, into, 0, new Completion() {
            @Override
            public void complete(int code) {
                done.complete(code);
            }

            @Override
            public void completeAt(int code, long offset) {
                place.set(offset);
                done.complete(code);
            }
        })));
        assertThat(error).isEqualTo(NbdError.EIO.code());
        assertThat(place).hasValue(3 * PAGE);
        assertThat(driver.read(0, 3 * PAGE)).containsOnly(0);
        into.release();
    }

    private void onLoop(Consumer<EventLoop> action) {
        EventLoop loop = device.links.getFirst().loop;
        CompletableFuture<Integer> done = new CompletableFuture<>();
        loop.execute(() -> {
            action.accept(loop);
            done.complete(0);
        });
        DeviceDriver.join(done);
    }

    private static byte[] halfOf(byte[] page) {
        byte[] half = page.clone();
        Arrays.fill(half, PAGE / 2, PAGE, (byte) 0);
        return half;
    }

    private static byte[] concat(byte[] one, byte[] other) {
        byte[] both = Arrays.copyOf(one, one.length + other.length);
        System.arraycopy(other, 0, both, one.length, other.length);
        return both;
    }
}
