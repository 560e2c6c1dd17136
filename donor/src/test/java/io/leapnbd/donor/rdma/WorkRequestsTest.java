package io.leapnbd.donor.rdma;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.ibm.disni.verbs.impl.NatIbvQP;
import io.leapnbd.donor.verbs.Verbs;
import io.leapnbd.donor.verbs.VerbsException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What a driver gets to see when a prebuilt work request is posted: the queue pair and its device are structures of the test's own,
 * the device's functions are the test's, and the offsets are those that a C compiler prints for the headers of rdma-core 44.
 */
@SuppressWarnings("restricted")
class WorkRequestsTest {

    private static final int SIGNALED = 2;
    private static final int OPCODE_SEND = 2;
    private static final int OPCODE_READ = 4;

    /** For ever: a device is known by its address, and must not be found again in another test. */
    private final Arena arena = Arena.global();

    private final List<Posted> posted = new ArrayList<>();
    private int answer;
    private @Nullable WorkRequests built;

    /** A work request with its one element. */
    record Posted(
            String call,
            long pair,
            long number,
            long next,
            int elements,
            long address,
            int length,
            int localKey,
            int opcode,
            int flags,
            long remoteAddress,
            int remoteKey) {}

    private final MemorySegment context = arena.allocate(512, 8);
    private final MemorySegment pair = arena.allocate(64, 8);

    @BeforeEach
    void build() throws Exception {
        assumeTrue(librariesAreInstalled(), "the RDMA libraries are not installed");
        context.set(JAVA_LONG, 208, function("postSend").address());
        context.set(JAVA_LONG, 216, function("postReceive").address());
        pair.set(JAVA_LONG, 0, context.address());
        built = new WorkRequests(pairAt(pair.address()), new long[] {0x10000, 0x20000, 0x30000}, 4096, 55, 2, 2);
    }

    @SuppressWarnings("NullAway") // the dispatcher would be asked for the pair's number only
    private static NatIbvQP pairAt(long address) throws IOException {
        return new NatIbvQP(address, null);
    }

    private static boolean librariesAreInstalled() {
        try {
            Verbs _ = Verbs.load();
            return true;
        } catch (VerbsException e) {
            return false;
        }
    }

    private MemorySegment function(String name) throws ReflectiveOperationException {
        MethodType type = MethodType.methodType(int.class, long.class, MemorySegment.class, long.class);
        return Linker.nativeLinker()
                .upcallStub(
                        MethodHandles.lookup().bind(this, name, type),
                        FunctionDescriptor.of(JAVA_INT, JAVA_LONG, ADDRESS, JAVA_LONG),
                        arena);
    }

    int postSend(long qp, MemorySegment request, long bad) {
        MemorySegment wr = request.reinterpret(128);
        take("send", qp, wr, wr.get(JAVA_INT, 28), wr.get(JAVA_INT, 32), wr.get(JAVA_LONG, 40), wr.get(JAVA_INT, 48));
        return answer;
    }

    int postReceive(long qp, MemorySegment request, long bad) {
        take("receive", qp, request.reinterpret(32), 0, 0, 0, 0);
        return answer;
    }

    private void take(String call, long qp, MemorySegment wr, int opcode, int flags, long remote, int remoteKey) {
        MemorySegment element = MemorySegment.ofAddress(wr.get(JAVA_LONG, 16)).reinterpret(16);
        posted.add(new Posted(
                call,
                qp,
                wr.get(JAVA_LONG, 0),
                wr.get(JAVA_LONG, 8),
                wr.get(JAVA_INT, 24),
                element.get(JAVA_LONG, 0),
                element.get(JAVA_INT, 8),
                element.get(JAVA_INT, 12),
                opcode,
                flags,
                remote,
                remoteKey));
    }

    @AfterEach
    void free() {
        if (built != null) {
            built.close();
        }
    }

    private WorkRequests requests() {
        return Objects.requireNonNull(built);
    }

    @Test
    void nothingIsPostedBeforeItIsAskedFor() {
        assertThat(posted).isEmpty();
    }

    @Test
    void aReadSaysWhereFromAndWhereTo() throws IOException {
        requests().read(1, 0x7000_0000_1000L, 66, 8192, 0x7fff_0000_2000L, 0xfedcba98);
        assertThat(posted)
                .containsExactly(new Posted(
                        "send",
                        pair.address(),
                        WorkRequests.READ | 1,
                        0,
                        1,
                        0x7000_0000_1000L,
                        8192,
                        66,
                        OPCODE_READ,
                        SIGNALED,
                        0x7fff_0000_2000L,
                        0xfedcba98));
    }

    @Test
    void aSlotIsUsedAgainWithNothingLeftOfItsLastUse() throws IOException {
        requests().read(0, 0x1000, 66, 8192, 0x2000, 7);
        requests().read(0, 0x3000, 67, 4096, 0x4000, 8);
        assertThat(posted.getLast())
                .isEqualTo(new Posted(
                        "send",
                        pair.address(),
                        WorkRequests.READ,
                        0,
                        1,
                        0x3000,
                        4096,
                        67,
                        OPCODE_READ,
                        SIGNALED,
                        0x4000,
                        8));
    }

    @Test
    void aMessageIsTheBeginningOfItsFrame() throws IOException {
        requests().send(1, 48);
        assertThat(posted).hasSize(1);
        Posted one = posted.getFirst();
        assertThat(one.number()).isEqualTo(WorkRequests.SEND | 1);
        assertThat(one.opcode()).isEqualTo(OPCODE_SEND);
        assertThat(one.flags()).isEqualTo(SIGNALED);
        assertThat(one.address()).isEqualTo(0x20000);
        assertThat(one.length()).isEqualTo(48);
        assertThat(one.localKey()).isEqualTo(55);
    }

    @Test
    void aMessageThatArrivesMayFillItsWholeFrame() throws IOException {
        requests().receive(0);
        assertThat(posted)
                .containsExactly(new Posted(
                        "receive", pair.address(), WorkRequests.RECEIVE, 0, 1, 0x30000, 4096, 55, 0, 0, 0, 0));
    }

    @Test
    void aNumberTellsWhatItIsAbout() {
        assertThat(WorkRequests.kind(WorkRequests.RECEIVE | 63)).isEqualTo(WorkRequests.RECEIVE);
        assertThat(WorkRequests.kind(WorkRequests.SEND)).isEqualTo(WorkRequests.SEND);
        assertThat(WorkRequests.slot(WorkRequests.RECEIVE | 63)).isEqualTo(63);
    }

    @Test
    void whatTheDriverRefusesIsAnError() {
        answer = 12;
        assertThatThrownBy(() -> requests().send(0, 1))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("12");
        assertThatThrownBy(() -> requests().receive(0))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("12");
        assertThatThrownBy(() -> requests().read(0, 0, 0, 0, 0, 0)).isInstanceOf(IOException.class);
    }
}
