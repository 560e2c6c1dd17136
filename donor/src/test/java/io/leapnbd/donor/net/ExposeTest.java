package io.leapnbd.donor.net;

import static io.leapnbd.donor.Pages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.memory.RawMemory;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Exposure;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** EXPOSE of a large slab, as a link over RDMA answers it; the device is left out, which this machine need not have. */
class ExposeTest {

    private static final int SLAB = 64 << 20;
    private static final int HANDLE = 1;

    /** A loop may be kept by one link for about half a millisecond. */
    private static final int MOST_A_TURN = 4 << 20;

    private static final LinkRequests.Standing STANDING = new LinkRequests.Standing() {
        @Override
        public String address() {
            return "test";
        }

        @Override
        public int freeLinks(String owner) {
            return 1;
        }
    };

    private SlabStore store;
    private LinkRequests requests;
    private Claim other;
    private final ByteBuf replies = Unpooled.buffer();
    private int exposures;

    /** A slab that holds zeros as far as its words go, and other bytes in memory. */
    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(StoreSettings.ofMemory(SLAB, SLAB).withReadySlabs(0));
        requests = new LinkRequests(
                store, this::room, () -> {}, STANDING, Protocol.MAX_RDMA_PAYLOAD, this::register, null);
        assertThat(answer(RawLink.frame(Hellos.claim("a", 1)))).isEqualTo(Status.OK);
        assertThat(answer(RawLink.frame(Operation.GRANT, 0, 0, 0, 0, Version.ofGrant(1, 0))))
                .isEqualTo(Status.OK);
        other = Objects.requireNonNull(
                store.hello(Hello.join("a", 1, 1, Hellos.instance(1))).claim());
        int piece = 1 << 20;
        ByteBuf bytes = Unpooled.directBuffer(piece).writeBytes(Pages.array(7, piece));
        for (int offset = 0; offset < SLAB; offset += piece) {
            assertThat(store.write(other, HANDLE, offset, piece, 1, bytes, 0)).isEqualTo(Status.OK);
        }
        bytes.release();
        assertThat(store.trim(other, HANDLE, 0, SLAB, 2)).isEqualTo(Status.OK);
    }

    @AfterEach
    void close() {
        requests.close();
        store.close();
    }

    private ByteBuf room(int bytes) {
        return replies.clear().ensureWritable(bytes);
    }

    private SlabExposer.Answer register(Claim claim, int handle) {
        exposures++;
        Exposure exposure = store.exposures().expose(claim, handle, () -> {});
        SlabExposer.Answer answer = new SlabExposer.Answer(
                exposure.status(), new SlabKey(exposure.address(), exposure.length(), exposures));
        exposure.close();
        return answer;
    }

    private byte answer(byte... frame) {
        ByteBuf in = Unpooled.wrappedBuffer(frame);
        assertThat(requests.payload(in, 0)).isNotEqualTo(LinkRequests.BAD);
        return requests.answer(in, 0);
    }

    /** It was zeroed in one turn: a quarter of a second for 1 GiB. */
    @Test
    void aLargeSlabIsZeroedInManyTurnsAndOthersAreServedBetween() {
        byte[] expose = RawLink.frame(Operation.EXPOSE, 1, HANDLE, 0, 0, 0);
        ByteBuf newer = Unpooled.directBuffer(PAGE).writeBytes(Pages.array(8, PAGE));
        int turns = 1;
        while (answer(expose) == LinkRequests.UNFINISHED) {
            assertThat(requests.unfinished()).isTrue();
            // Between two turns: one page more is written, and one is written and trimmed.
            int offset = 2 * PAGE * turns;
            assertThat(store.write(other, HANDLE, offset, PAGE, 3, newer, 0)).isEqualTo(Status.OK);
            assertThat(store.write(other, HANDLE, offset + PAGE, PAGE, 3, newer, 0))
                    .isEqualTo(Status.OK);
            assertThat(store.trim(other, HANDLE, offset + PAGE, PAGE, 4)).isEqualTo(Status.OK);
            assertThat(exposures).isZero();
            turns++;
        }
        newer.release();

        assertThat(turns).isGreaterThanOrEqualTo(SLAB / MOST_A_TURN);
        assertThat(requests.unfinished()).isFalse();
        assertThat(exposures).isOne();
        assertThat(ReplyHeader.status(replies, 0)).isEqualTo(Status.OK);
        SlabKey key = SlabKey.decode(replies, ReplyHeader.LENGTH);
        byte[] bytes = new byte[SLAB];
        ByteBuf into = Unpooled.wrappedBuffer(bytes);
        RawMemory.copyTo(key.address(), into, 0, SLAB);
        byte[] expected = new byte[SLAB];
        for (int turn = 1; turn < turns; turn++) {
            System.arraycopy(Pages.array(8, PAGE), 0, expected, 2 * PAGE * turn, PAGE);
        }
        assertThat(bytes).isEqualTo(expected);
    }

    @Test
    void aServerThatIsFencedOffHalfwayIsToldSoAndGetsNoKey() {
        byte[] expose = RawLink.frame(Operation.EXPOSE, 1, HANDLE, 0, 0, 0);
        assertThat(answer(expose)).isEqualTo(LinkRequests.UNFINISHED);
        assertThat(store.hello(Hellos.claim("a", 1, Hellos.CONTENT, 2)).status())
                .isEqualTo(Status.OK);

        assertThat(answer(expose)).isEqualTo(Status.FENCED);
        assertThat(requests.unfinished()).isFalse();
        assertThat(exposures).isZero();
    }
}
