package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedDeviceTest {

    private static final int SLAB = 1 << 20;
    private static final int PAGE = 4096;

    private EventLoopGroup group;
    private SlabStore store;
    private RemoteDevice device;
    private DeviceDriver first;
    private DeviceDriver second;

    @TempDir
    private Path folder;

    @BeforeEach
    void open() throws IOException {
        group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        open(8L * SLAB, 8L * SLAB, null);
    }

    private void open(long size, long memory, @Nullable Path state) throws IOException {
        store = SlabStore.open(StoreSettings.ofMemory(memory, SLAB).withLock(false));
        device = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size(size)
                        .embedded(store)
                        .stateFile(state)
                        .conclude(),
                group);
        first = new DeviceDriver(device, group.next());
        second = new DeviceDriver(device, group.next());
    }

    private void closeDevice() throws IOException {
        device.close();
        store.close();
    }

    @AfterEach
    void close() throws IOException {
        closeDevice();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void whatWasNeverWrittenReadsAsZeros() {
        assertThat(first.read(12_345, 3 * SLAB)).containsOnly(0);
        assertThat(device.map().mappedSlabs()).isZero();
    }

    @Test
    void aWriteAcrossSlabsIsReadOnTheOtherLoop() {
        byte[] bytes = random(3 * SLAB + 777);
        assertThat(first.write(SLAB - 100, bytes)).isZero();
        assertThat(second.read(SLAB - 100, bytes.length)).isEqualTo(bytes);
        assertThat(second.read(0, SLAB - 100)).containsOnly(0);
        assertThat(device.map().mappedSlabs()).isEqualTo(5);
    }

    @Test
    void aPartOfAPageChangesNoOtherByte() {
        byte[] page = random(PAGE);
        first.write(PAGE, page);
        first.write(PAGE + 10, (byte) 1, (byte) 2, (byte) 3);
        byte[] expected = page.clone();
        System.arraycopy(new byte[] {1, 2, 3}, 0, expected, 10, 3);
        assertThat(second.read(PAGE, PAGE)).isEqualTo(expected);
    }

    @Test
    void trimmedBytesReadAsZerosAndTheirNeighboursStay() {
        byte[] bytes = random(4 * PAGE);
        first.write(0, bytes);
        assertThat(second.trim(100, 2 * PAGE)).isZero();
        Arrays.fill(bytes, 100, 100 + 2 * PAGE, (byte) 0);
        assertThat(first.read(0, 4 * PAGE)).isEqualTo(bytes);
    }

    @Test
    void zeroesWithoutAHoleHoldMemoryForALaterWrite() {
        assertThat(first.zero(0, 2 * SLAB, true)).isZero();
        assertThat(device.map().mappedSlabs()).isEqualTo(2);
        assertThat(first.read(0, 2 * SLAB)).containsOnly(0);
    }

    @Test
    void statusTellsBlankFromWrittenUpToTheLimit() {
        first.write(PAGE, random(2 * PAGE));
        assertThat(first.status(0, 8 * PAGE, 16)).isEqualTo("4096:3 8192:0 20480:3");
        assertThat(first.status(0, 8 * PAGE, 1)).isEqualTo("4096:3");
        assertThat(first.status(PAGE + 100, 200, 16)).isEqualTo("200:0");
    }

    @Test
    void aPrefetchedPageIsReadFromTheCacheOnce() {
        byte[] bytes = random(16 * PAGE);
        first.write(0, bytes);
        assertThat(first.cache(0, 16 * PAGE)).isZero();
        assertThat(device.cache().figures().adds()).isEqualTo(16);
        assertThat(second.read(100, 15 * PAGE)).isEqualTo(Arrays.copyOfRange(bytes, 100, 100 + 15 * PAGE));
        assertThat(device.cache().figures().hits()).isEqualTo(14);
        assertThat(second.read(0, 16 * PAGE)).isEqualTo(bytes);
        assertThat(device.cache().isEmpty()).isTrue();
    }

    @Test
    void aWriteAfterAPrefetchIsWhatIsRead() {
        first.write(0, random(4 * PAGE));
        first.cache(0, 4 * PAGE);
        byte[] newer = random(2 * PAGE);
        second.write(PAGE, newer);
        assertThat(first.read(PAGE, 2 * PAGE)).isEqualTo(newer);
        first.cache(0, 4 * PAGE);
        second.trim(0, PAGE);
        assertThat(first.read(0, PAGE)).containsOnly(0);
    }

    @Test
    void whenNoMemoryIsLeftWritesEndWithENOSPCAndNothingElseIsHurt() throws IOException {
        closeDevice();
        open(2L * SLAB, 2L * SLAB, null);
        SlabStore whole = store;
        byte[] bytes = random(PAGE);
        assertThat(first.write(0, bytes)).isZero();
        // Somebody else takes what is left.
        Hello hello = Hello.claim(
                "other",
                0,
                false,
                0,
                HelloReply.NONE,
                0,
                UUID.randomUUID(),
                UUID.randomUUID(),
                1,
                new UUID(0, 2),
                "another server",
                ByteBuffer.allocate(0));
        Claim other = Objects.requireNonNull(whole.hello(hello).claim());
        assertThat(whole.grant(other, 0, 1L << 32).status()).isEqualTo(Status.OK);

        assertThat(first.write(SLAB, bytes)).isEqualTo(NbdError.ENOSPC.code());
        assertThat(second.read(0, PAGE)).isEqualTo(bytes);
        assertThat(second.read(SLAB, PAGE)).containsOnly(0);
    }

    @Test
    void aSizeThatDoesNotFitIsRefusedWithBothNumbers() {
        assertThatThrownBy(() -> {
                    try (SlabStore small = SlabStore.open(
                            StoreSettings.ofMemory(2 * SLAB, SLAB).withLock(false))) {
                        RemoteDevice.open(
                                        new RemoteDeviceContext()
                                                .size(4L * SLAB)
                                                .embedded(small)
                                                .conclude(),
                                        group)
                                .close();
                    }
                })
                .isInstanceOf(IOException.class)
                .hasMessageContaining("4M")
                .hasMessageContaining("2M");
    }

    @Test
    void theContentsOfAnEmbeddedDonorThatIsGoneAreNotTakenForBlank() throws IOException {
        closeDevice();
        Path state = folder.resolve("leap.state");
        open(4L * SLAB, 4L * SLAB, state);
        first.write(PAGE, random(PAGE));
        closeDevice();

        try (SlabStore another =
                SlabStore.open(StoreSettings.ofMemory(4L * SLAB, SLAB).withLock(false))) {
            assertThatThrownBy(() -> RemoteDevice.open(
                            new RemoteDeviceContext()
                                    .size(4L * SLAB)
                                    .embedded(another)
                                    .stateFile(state)
                                    .conclude(),
                            group))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("--fresh");
        }
        open(4L * SLAB, 4L * SLAB, null);
    }

    @Test
    void badSettingsAreRefusedInOneSentence() {
        assertThatThrownBy(() -> new RemoteDeviceContext().size(1000).conclude())
                .hasMessageContaining("1000 bytes is not a multiple of 4096");
        assertThatThrownBy(() -> new RemoteDeviceContext().size(4096).conclude())
                .hasMessageContaining("needs donors");
        assertThatThrownBy(() -> new RemoteDeviceContext()
                        .size(4096)
                        .embedded(store)
                        .requestTimeout(Duration.ZERO)
                        .conclude())
                .hasMessageContaining("request timeout of 0 ms");
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }
}
