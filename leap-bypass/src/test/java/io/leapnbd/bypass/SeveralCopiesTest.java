package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What the rules of docs/replicas.md are for, one at a time, over donors that follow a script. */
class SeveralCopiesTest {

    private static final int PAGE = 4096;
    private static final int SLAB_SHIFT = 16;
    private static final int SLABS = 4;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private ScriptedDevice device;

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private DeviceDriver driver;

    @AfterEach
    void stop() throws IOException {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        device.close();
    }

    /** A copy may be silent for one second; a request may take eight. */
    private void open(int donors) throws IOException {
        device = new ScriptedDevice(
                SLABS,
                SLAB_SHIFT,
                donors,
                2,
                TimeUnit.SECONDS.toNanos(8),
                PrefetchPolicy.NONE,
                new Random(1),
                slab -> {});
        driver = new DeviceDriver(device, group.next(), device.clock);
    }

    @Test
    void aWriteIsAcknowledgedWhenEveryCopyHasIt() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        device.stores.get(1).holdsAnswers = true;
        CompletableFuture<Integer> write = driver.startWrite(0, page(2));
        await(() -> device.links.get(1).answersHeld() > 0);
        driver.awaitTurn();
        assertThat(write).isNotDone();
        device.stores.get(1).holdsAnswers = false;
        device.links.get(1).loop.execute(device.links.get(1)::letAnswersGo);
        assertThat(DeviceDriver.join(write)).isZero();
        assertThat(placement().live()).isEqualTo(2);
    }

    /** Rule 2: first the others are told, then the row says so, and then the client hears of it. */
    @Test
    void aSilentCopyIsOutOfTheRowWhenTheWriteThatItMissedIsAcknowledged() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        int told = device.stores.get(0).placements.get();
        device.stores.get(1).holdsEverything = true;
        assertThat(driver.write(0, page(2))).isZero();
        SlabRow row = Objects.requireNonNull(device.state.row(0));
        assertThat(row.copies()).hasSize(1);
        assertThat(row.copies().getFirst().incarnation())
                .isEqualTo(device.stores.get(0).donor.incarnation());
        assertThat(device.stores.get(0).placements.get()).isGreaterThan(told);
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
    }

    /**
     * A donor that took a placement may believe that it is alone, whether it answered or not. So the copy that it was to leave out stays in
     * doubt: nobody is left out in its favour, until both have been told again.
     */
    @Test
    void aPlacementThatWasSentCountsAlthoughItWasNotAnswered() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        ScriptedStore one = device.stores.get(0);
        ScriptedStore other = device.stores.get(1);
        one.keepsPlacementsToItself = true;
        other.holdsEverything = true;
        assertThat(driver.write(0, page(2))).isEqualTo(NbdError.EIO.code());
        assertThat(states()).containsExactly(State.LIVE, State.COMPLETE);
        assertThat(Objects.requireNonNull(device.state.row(0)).copies().stream().map(SlabRow.Copy::state))
                .containsExactly(State.LIVE, State.COMPLETE);

        letGo(other);
        one.holdsEverything = true;
        assertThat(driver.write(0, page(3))).isEqualTo(NbdError.EIO.code());
        assertThat(placement().live()).isEqualTo(1);

        one.keepsPlacementsToItself = false;
        letGo(one);
        await(() -> placement().live() == 2 && placement().told());
        assertThat(driver.write(0, page(4))).isZero();
        other.holdsEverything = true;
        assertThat(driver.read(0, PAGE)).isEqualTo(page(4));
    }

    @Test
    void aReadGoesToAnotherCopyWhenTheFirstIsSilent() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        for (ScriptedStore silent : device.stores) {
            silent.holdsEverything = true;
            assertThat(driver.read(0, PAGE)).isEqualTo(page(1));
            letGo(silent);
            await(() -> placement().live() == 2 && placement().told());
        }
    }

    @Test
    void aReadThatWaitsForAFetchFromASilentDonorIsServedByTheOtherCopy() throws IOException {
        open(2);
        assertThat(driver.write(0, page(1))).isZero();
        for (ScriptedStore silent : device.stores) {
            silent.holdsEverything = true;
            assertThat(driver.cache(0, PAGE)).isZero();
            assertThat(driver.read(0, PAGE)).isEqualTo(page(1));
            letGo(silent);
            await(() -> placement().live() == 2 && placement().told());
            assertThat(driver.write(0, page(1))).isZero();
        }
    }

    @Test
    void whenACopyIsGoneAnotherDonorIsFilledAndThenTheOtherMayGoToo() throws IOException {
        open(3);
        for (int i = 0; i < 10; i++) {
            assertThat(driver.write((long) i * PAGE, page(i + 1))).isZero();
        }
        assertThat(driver.trim(3 * PAGE, PAGE)).isZero();
        for (int round = 0; round < 3; round++) {
            Member goes = placement().primary();
            device.stores.get(goes.donor()).restart();
            await(() -> !placement().has(goes)
                    && placement().live() == 2
                    && placement().told());
            for (int i = 0; i < 10; i++) {
                assertThat(driver.read((long) i * PAGE, PAGE)).isEqualTo(i == 3 ? new byte[PAGE] : page(i + 1));
            }
        }
        assertThat(device.map.pagesLost()).isZero();
        assertThat(device.repairs.getFirst().filled()).isPositive();
    }

    /** What it has is not given away before its donor is told: it must not be filled a second time at the same donor. */
    @Test
    void copiesOfASlabAreOnDifferentMachines() throws IOException {
        open(3);
        for (int slab = 0; slab < SLABS; slab++) {
            assertThat(driver.write((long) slab << SLAB_SHIFT, page(slab))).isZero();
            Placement at = Objects.requireNonNull(device.map.placement(slab));
            assertThat(at.member(0).donor()).isNotEqualTo(at.member(1).donor());
        }
    }

    private void letGo(ScriptedStore store) {
        store.holdsEverything = false;
        ScriptedStore.Link link = device.links.get(device.stores.indexOf(store));
        link.loop.execute(link::letGo);
    }

    private Placement placement() {
        return Objects.requireNonNull(device.map.placement(0));
    }

    private List<State> states() {
        Placement at = placement();
        return IntStream.range(0, at.size()).mapToObj(at::state).toList();
    }

    private static void await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("waited for 60 s");
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    private static byte[] page(int number) {
        byte[] bytes = new byte[PAGE];
        Arrays.fill(bytes, (byte) number);
        return bytes;
    }
}
