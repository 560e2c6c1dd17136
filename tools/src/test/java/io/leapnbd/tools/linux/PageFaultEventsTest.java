package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Real events of this process, where they are allowed. */
class PageFaultEventsTest {

    private static final int PAGE = 4096;

    @Test
    void theProcessorsOfAListAreCounted() {
        assertThat(PageFaultEvents.online("0")).containsExactly(0);
        assertThat(PageFaultEvents.online("0-3,8, 10-11\n")).containsExactly(0, 1, 2, 3, 8, 10, 11);
    }

    @Test
    void thePagesThatThisThreadTouchesComeInTheOrderOfTheirTouch() throws IOException {
        Optional<String> refusal = PageFaultEvents.refusal();
        assumeTrue(refusal.isEmpty(), () -> "perf events are not to be had: " + refusal.orElse(""));
        try (PageFaultEvents events = new PageFaultEvents(16);
                Arena arena = Arena.ofConfined()) {
            assertThat(events.watch((int) ProcessHandle.current().pid())).isTrue();
            int pages = 64;
            SystemCalls calls = new SystemCalls(arena);
            // Fresh memory without huge pages: mmap(PRIVATE | ANONYMOUS), madvise is not needed for 64 pages.
            long mapped = calls.require(Call.MMAP, 0, (long) pages * PAGE, 3, 0x22, -1, 0);
            Set<Long> seen = touch(mapped, pages, events);
            calls.call(Call.MUNMAP, mapped, (long) pages * PAGE);
            assertThat(seen).hasSize(pages);
            assertThat(events.lost()).isZero();
            assertThat(events.scope()).isIn(PageFaultEvents.Scope.ALL_FAULTS, PageFaultEvents.Scope.USER_FAULTS);
        }
    }

    @SuppressWarnings("restricted") // memory that this test maps
    private static Set<Long> touch(long mapped, int pages, PageFaultEvents events) {
        MemorySegment memory = MemorySegment.ofAddress(mapped).reinterpret((long) pages * PAGE);
        Set<Long> seen = new HashSet<>();
        for (int i = 0; i < pages; i++) {
            memory.set(ValueLayout.JAVA_BYTE, (long) i * PAGE, (byte) 1);
            for (int r = 0; r < events.rings(); r++) {
                PerfRing ring = events.ring(r);
                while (ring.peek()) {
                    if (ring.kind() == PerfRing.Kind.FAULT && ring.address() == mapped + (long) i * PAGE) {
                        assertThat((long) ring.pid())
                                .isEqualTo(ProcessHandle.current().pid());
                        seen.add(ring.address());
                    }
                    ring.advance();
                }
                ring.release();
            }
        }
        return seen;
    }

    @Test
    void aProcessThatIsNotThereIsNotWatched() throws IOException {
        Optional<String> refusal = PageFaultEvents.refusal();
        assumeTrue(refusal.isEmpty(), () -> "perf events are not to be had: " + refusal.orElse(""));
        try (PageFaultEvents events = new PageFaultEvents(1)) {
            assertThat(events.watch(Integer.MAX_VALUE)).isFalse();
        }
    }
}
