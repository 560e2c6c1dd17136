package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ProcessMemoryTest {

    private static final int PAGES = 256;
    private static final int PAGE = 4096;

    @Test
    void memoryOfThisProcessIsNotSwappedOutAndTheKernelTakesAdviceOnItOrSaysWhyNot() throws LinuxException {
        try (ProcessMemory memory = new ProcessMemory(64);
                java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined()) {
            SystemCalls calls = new SystemCalls(arena);
            long mapped = calls.require(Call.MMAP, 0, (long) PAGES * PAGE, 3, 0x22, -1, 0);
            assertThat(memory.open((int) ProcessHandle.current().pid())).isZero();
            long[] found = new long[512];
            assertThat(memory.seesPages()).isTrue();
            assertThat(memory.swapped(mapped / PAGE, 1, PAGES, found)).isZero();
            assertThat(memory.swapped(mapped / PAGE + PAGES - 1, -5, PAGES / 5, found))
                    .isZero();
            assertThat(memory.swapped(1, -100, 3, found))
                    .as("below the lowest address")
                    .isZero();
            long[] wanted = {mapped / PAGE, mapped / PAGE + 1, mapped / PAGE + 9, mapped / PAGE + 8};
            assertThat(memory.willNeed(wanted, 4)).isIn(4, -Errno.EPERM, -Errno.ENOSYS);
            calls.call(Call.MUNMAP, mapped, (long) PAGES * PAGE);
        }
    }

    @Test
    void aProcessThatIsNotThereCannotBeOpened() {
        try (ProcessMemory memory = new ProcessMemory(1)) {
            assertThat(memory.open(Integer.MAX_VALUE)).isEqualTo(-Errno.ESRCH);
            assertThat(memory.descriptor()).isEqualTo(-1);
        }
    }

    @Test
    void withoutThePagemapEveryPageMayBeSwappedOut() {
        try (ProcessMemory memory = new ProcessMemory(1)) {
            long[] found = new long[4];
            assertThat(memory.swapped(100, -7, 4, found)).isEqualTo(4);
            assertThat(found).containsExactly(100, 93, 86, 79);
        }
    }
}
