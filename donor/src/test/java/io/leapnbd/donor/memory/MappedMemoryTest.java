package io.leapnbd.donor.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.Assumptions;
import org.junit.jupiter.api.Test;

class MappedMemoryTest {

    private static final int MIB = 1 << 20;

    @Test
    void reservingCostsNothingAndPopulatingMakesResident() throws MemoryException {
        try (MappedMemory memory = MappedMemory.reserve(64L * MIB, false)) {
            assertThat(kilobytes(memory, "Rss:")).isZero();
            memory.populate(8L * MIB, 4L * MIB);
            assertThat(kilobytes(memory, "Rss:")).isEqualTo(4 * 1024);
            assertThat(RawMemory.getVolatile(memory.address() + 8L * MIB)).isZero();
        }
    }

    /** Strangers have some of it, and where huge pages come unasked a touch would take 2 MiB. */
    @Test
    void aSmallMappingHasNoHugePages() throws MemoryException {
        Assumptions.assumeThat(Path.of("/sys/kernel/mm/transparent_hugepage")).exists();
        try (MappedMemory memory = MappedMemory.reserveSmall(64 << 10)) {
            memory.populate(0, 64 << 10);
            assertThat(line(memory, "VmFlags:").split(" ")).contains("nh");
        }
    }

    @Test
    void moreThanTheMachineHasCanBeReserved() throws MemoryException {
        try (MappedMemory memory = MappedMemory.reserve(1L << 42, false)) {
            long last = memory.address() + (1L << 42) - Long.BYTES;
            RawMemory.setRelease(last, 5);
            assertThat(RawMemory.getVolatile(last)).isEqualTo(5);
        }
    }

    @Test
    void whatDoesNotFitTheAddressSpaceIsRefusedWithTheReason() {
        assertThatThrownBy(() -> MappedMemory.reserve(1L << 60, false).close())
                .isInstanceOf(MemoryException.class)
                .hasMessageContaining("cannot reserve")
                .hasMessageContaining("ENOMEM");
    }

    @Test
    void populatingLeavesContentsAsTheyAre() throws MemoryException {
        try (MappedMemory memory = MappedMemory.reserve(MIB, false)) {
            RawMemory.setRelease(memory.address() + 4096, 77);
            memory.populate(0, MIB);
            assertThat(RawMemory.getVolatile(memory.address() + 4096)).isEqualTo(77);
        }
    }

    @Test
    void discardedMemoryReadsAsZerosAndIsGivenBack() throws MemoryException {
        try (MappedMemory memory = MappedMemory.reserve(2L * MIB, false)) {
            memory.populate(0, 2L * MIB);
            RawMemory.setRelease(memory.address(), 1);
            RawMemory.setRelease(memory.address() + MIB, 2);
            memory.discard(0, MIB);

            assertThat(kilobytes(memory, "Rss:")).isEqualTo(1024);
            assertThat(RawMemory.getVolatile(memory.address())).isZero();
            assertThat(RawMemory.getVolatile(memory.address() + MIB)).isEqualTo(2);
        }
    }

    @Test
    void whatIsLockedIsSoOnceItIsResidentAndCannotBeDiscarded() throws MemoryException {
        try (MappedMemory memory = MappedMemory.reserve(MIB, false)) {
            assertThat(memory.lock(0, MIB)).isNull();
            assertThat(kilobytes(memory, "Locked:")).isZero();
            memory.populate(0, MIB);
            assertThat(kilobytes(memory, "Locked:")).isEqualTo(1024);
            assertThatThrownBy(() -> memory.discard(0, MIB)).isInstanceOf(MemoryException.class);

            memory.unlock(0, MIB);
            memory.discard(0, MIB);
            assertThat(kilobytes(memory, "Rss:")).isZero();
        }
    }

    @Test
    void memoryIsAlignedToHugePagesAndLeftOutOfDumps() throws MemoryException {
        try (MappedMemory memory = MappedMemory.reserve(4L * MIB, true)) {
            assertThat(memory.address() % (2L * MIB)).isZero();
            assertThat(line(memory, "VmFlags:")).contains(" dd").contains(" hg");
        }
    }

    @Test
    void longRangesAreCopiedAndZeroedWhole() throws MemoryException {
        try (MappedMemory memory = MappedMemory.reserve(2L * MIB, false)) {
            int length = 300_001;
            for (int i = 0; i < length; i += 8) {
                RawMemory.setRelease(memory.address() + i, i | 1L << 40);
            }
            RawMemory.copy(memory.address(), memory.address() + MIB, length);
            assertThat(RawMemory.getVolatile(memory.address() + MIB + 300_000 - 8))
                    .isEqualTo(299_992 | 1L << 40);
            RawMemory.zero(memory.address() + MIB, 300_000 - 8);
            assertThat(RawMemory.getVolatile(memory.address() + MIB + 299_984)).isZero();
            assertThat(RawMemory.getVolatile(memory.address() + MIB + 299_992)).isEqualTo(299_992 | 1L << 40);
        }
    }

    private static long kilobytes(MappedMemory memory, String field) {
        return Long.parseLong(line(memory, field).replaceAll("\\D+", ""));
    }

    /** Sums nothing up: the mapping of the address alone, from the kernel's own account. */
    private static String line(MappedMemory memory, String field) {
        try {
            List<String> lines = Files.readAllLines(Path.of("/proc/self/smaps"));
            boolean inside = false;
            for (String line : lines) {
                if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                    long from = Long.parseLong(line.substring(0, line.indexOf('-')), 16);
                    long to = Long.parseLong(line.substring(line.indexOf('-') + 1, line.indexOf(' ')), 16);
                    inside = from <= memory.address() && memory.address() < to;
                } else if (inside && line.startsWith(field)) {
                    return line;
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        throw new AssertionError("no " + field + " for the mapping");
    }
}
