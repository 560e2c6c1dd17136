package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.leapnbd.tools.linux.PerfRing.Kind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The reader against a ring that is made up: what the kernel would write, and what it would not. */
class PerfRingTest {

    private static final long CONTROL = 4096;
    private static final int DATA = 4096;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory = arena.allocate(CONTROL + DATA, 8);
    private final PerfRing ring = new PerfRing(memory, CONTROL);
    private long head;

    @AfterEach
    void free() {
        arena.close();
    }

    private void put(long value) {
        memory.set(JAVA_LONG, CONTROL + (head & (DATA - 1)), value);
        head += Long.BYTES;
    }

    private void header(int type, int misc, int size) {
        long at = CONTROL + (head & (DATA - 1));
        memory.set(JAVA_INT, at, type);
        memory.set(JAVA_SHORT, at + 4, (short) misc);
        memory.set(JAVA_SHORT, at + 6, (short) size);
        head += Long.BYTES;
    }

    private void publish() {
        JAVA_LONG.varHandle().setRelease(memory, PerfRing.DATA_HEAD, head);
    }

    private long tail() {
        return memory.get(JAVA_LONG, PerfRing.DATA_TAIL);
    }

    private static long both(int low, int high) {
        return (low & 0xffff_ffffL) | ((long) high << 32);
    }

    private void sample(boolean major, int pid, int tid, long nanos, long address) {
        header(PerfRing.RECORD_SAMPLE, 0, major ? PerfRing.MAJOR_SIZE : PerfRing.FAULT_SIZE);
        put(both(pid, tid));
        put(nanos);
        put(address);
        if (major) {
            put(1); // the processor
        }
    }

    private void lost(long count) {
        header(PerfRing.RECORD_LOST, 0, 24);
        put(7);
        put(count);
    }

    @Test
    void anEmptyRingHasNothing() {
        assertThat(ring.peek()).isFalse();
    }

    @Test
    void whatIsNotPublishedIsNotRead() {
        sample(false, 1, 1, 1, 1);
        assertThat(ring.peek()).isFalse();
        publish();
        assertThat(ring.peek()).isTrue();
    }

    @Test
    void faultsAndTheEndsOfMajorOnesAreToldApart() {
        sample(false, 10, 11, 1234, 0x7fff_1234_5678L);
        sample(true, 10, 11, 5678, 0x7fff_1234_5678L);
        publish();
        assertThat(ring.peek()).isTrue();
        assertThat(ring.kind()).isEqualTo(Kind.FAULT);
        assertThat(ring.pid()).isEqualTo(10);
        assertThat(ring.tid()).isEqualTo(11);
        assertThat(ring.nanos()).isEqualTo(1234);
        assertThat(ring.address()).isEqualTo(0x7fff_1234_5678L);
        assertThat(ring.peek()).as("a second look is at the same record").isTrue();
        assertThat(ring.kind()).isEqualTo(Kind.FAULT);
        ring.advance();
        assertThat(ring.peek()).isTrue();
        assertThat(ring.kind()).isEqualTo(Kind.MAJOR);
        assertThat(ring.nanos()).isEqualTo(5678);
        ring.advance();
        assertThat(ring.peek()).isFalse();
    }

    @Test
    void roomIsGivenBackOnlyWhenItIsReleased() {
        sample(false, 1, 1, 1, 1);
        publish();
        ring.peek();
        ring.advance();
        assertThat(tail()).isZero();
        ring.release();
        assertThat(tail()).isEqualTo(PerfRing.FAULT_SIZE);
    }

    @Test
    void recordsThatWrapAreReadWhole() {
        for (int i = 0; i < 5_000; i++) {
            sample(i % 3 == 0, i, i + 1, 1000L + i, 4096L * i); // 32 and 40 bytes: in every phase to the ring's end
            publish();
            assertThat(ring.peek()).isTrue();
            assertThat(ring.kind()).isEqualTo(i % 3 == 0 ? Kind.MAJOR : Kind.FAULT);
            assertThat(ring.pid()).isEqualTo(i);
            assertThat(ring.tid()).isEqualTo(i + 1);
            assertThat(ring.nanos()).isEqualTo(1000L + i);
            assertThat(ring.address()).isEqualTo(4096L * i);
            ring.advance();
            ring.release();
        }
        assertThat(tail()).isEqualTo(head);
        assertThat(ring.torn()).isZero();
    }

    @Test
    void lostRecordsAreCountedAndPassedOver() {
        lost(5);
        sample(false, 1, 1, 1, 1);
        lost(37);
        publish();
        assertThat(ring.peek()).isTrue();
        ring.advance();
        assertThat(ring.peek()).isFalse();
        assertThat(ring.lost()).isEqualTo(42);
        ring.release();
        assertThat(tail()).isEqualTo(head);
    }

    @Test
    void forksExitsAndExecsAreSeenAndChangesOfNameAreNot() {
        header(PerfRing.RECORD_FORK, 0, 32);
        put(both(20, 10));
        put(both(21, 11));
        put(99);
        header(PerfRing.RECORD_COMM, 0, 24); // prctl(PR_SET_NAME)
        put(both(20, 20));
        put(0x61);
        header(PerfRing.RECORD_COMM, PerfRing.MISC_COMM_EXEC, 24);
        put(both(20, 20));
        put(0x61);
        header(PerfRing.RECORD_EXIT, 0, 32);
        put(both(20, 10));
        put(both(20, 11));
        put(100);
        publish();
        assertThat(ring.peek()).isTrue();
        assertThat(ring.kind()).isEqualTo(Kind.FORK);
        assertThat(ring.pid()).isEqualTo(20);
        assertThat(ring.tid()).isEqualTo(21);
        assertThat(ring.nanos()).isEqualTo(99);
        ring.advance();
        assertThat(ring.peek()).isTrue();
        assertThat(ring.kind()).isEqualTo(Kind.EXEC);
        assertThat(ring.pid()).isEqualTo(20);
        ring.advance();
        assertThat(ring.peek()).isTrue();
        assertThat(ring.kind()).isEqualTo(Kind.EXIT);
        ring.advance();
        assertThat(ring.peek()).isFalse();
    }

    @Test
    void recordsOfOtherKindsAndSizesArePassedOver() {
        header(77, 0, 16);
        put(1);
        header(PerfRing.RECORD_SAMPLE, 0, 24);
        put(1);
        put(2);
        header(PerfRing.RECORD_FORK, 0, 16);
        put(1);
        header(PerfRing.RECORD_LOST, 0, 8);
        sample(true, 5, 5, 5, 5);
        publish();
        assertThat(ring.peek()).isTrue();
        assertThat(ring.pid()).isEqualTo(5);
        assertThat(ring.lost()).isOne();
    }

    @Test
    void whatIsNoRecordIsPassedOverUpToTheHeadAndCounted() {
        for (int size : new int[] {0, 4, 7, 33, 4088}) {
            long torn = ring.torn();
            header(PerfRing.RECORD_SAMPLE, 0, size);
            put(1);
            publish();
            assertThat(ring.peek()).isFalse();
            assertThat(ring.torn()).isEqualTo(torn + 1);
            sample(false, 3, 3, 3, 3);
            publish();
            assertThat(ring.peek()).isTrue();
            assertThat(ring.pid()).isEqualTo(3);
            ring.advance();
            ring.release();
        }
    }

    @Test
    void aReaderBeginsWhereTheLastOneEnded() {
        sample(false, 1, 1, 1, 1);
        publish();
        ring.peek();
        ring.advance();
        ring.release();
        sample(false, 2, 2, 2, 2);
        publish();
        PerfRing second = new PerfRing(memory, CONTROL);
        assertThat(second.peek()).isTrue();
        assertThat(second.pid()).isEqualTo(2);
    }

    @Test
    void aRingThatIsNoPowerOfTwoIsRefused() {
        assertThatThrownBy(() -> new PerfRing(memory.asSlice(0, CONTROL + 3000), CONTROL))
                .hasMessageContaining("power of two");
    }

    @Test
    void aWriterOnAnotherThreadIsFollowedWithoutALossOrATear() throws InterruptedException {
        int records = 200_000;
        AtomicLong wrong = new AtomicLong();
        Thread writer = Thread.ofPlatform().start(() -> {
            for (int i = 0; i < records; i++) {
                boolean major = i % 7 == 0;
                while (head + PerfRing.MAJOR_SIZE - (long) JAVA_LONG.varHandle().getAcquire(memory, PerfRing.DATA_TAIL)
                        > DATA) {
                    Thread.onSpinWait();
                }
                sample(major, i, i, i, i);
                publish();
            }
        });
        int next = 0;
        while (next < records) {
            while (ring.peek()) {
                boolean right = ring.pid() == next && ring.nanos() == next && ring.address() == next;
                wrong.addAndGet(right && (ring.kind() == Kind.MAJOR) == (next % 7 == 0) ? 0 : 1);
                next++;
                ring.advance();
            }
            ring.release();
            Thread.onSpinWait();
        }
        writer.join();
        assertThat(wrong).hasValue(0);
        assertThat(ring.torn()).isZero();
    }

    @Test
    void readingAllocatesNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long allocated = 0;
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 20; i++) {
                sample(i % 2 == 0, i, i, i, i);
            }
            publish();
            long before = threads.getCurrentThreadAllocatedBytes();
            while (ring.peek()) {
                ring.advance();
            }
            ring.release();
            allocated = threads.getCurrentThreadAllocatedBytes() - before;
        }
        assertThat(allocated).isLessThan(1024);
    }
}
