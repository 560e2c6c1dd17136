package io.leapnbd.tools.memory;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.linux.KernelFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What this process may use of the machine's memory: each bound that there is, the machine's own first, then those of the
 * control groups that it is in, up to the root. The least counts.
 *
 * @param bounds at least one, unless the kernel tells nothing
 */
public record MachineMemory(List<Bound> bounds) {

    private static final long MIB = 1L << 20;

    /** What a process of ours takes besides its heap and what it lends or caches; docs/memory.md. */
    private static final long JVM = 110 * MIB;

    /**
     * One bound.
     *
     * @param name for people
     * @param total bytes
     * @param available bytes that could be used now without paging out
     * @param margin bytes that are to stay free, for the kernel and for others
     */
    public record Bound(String name, long total, long available, long margin) {

        /** Of the machine: a tenth of it stays free, but no more than 4 GiB. */
        static Bound machine(long total, long available) {
            return new Bound("this machine's memory", total, available, Math.clamp(total / 10, 64 * MIB, 4096 * MIB));
        }

        /** Of a control group, which holds less of the kernel's own and nobody else's programs. */
        static Bound group(Path file, long total, long available) {
            return new Bound(
                    "the limit of its cgroup, " + file, total, available, Math.clamp(total / 16, 16 * MIB, 1024 * MIB));
        }

        private long room() {
            return total - margin;
        }
    }

    /** What there is now. */
    public static MachineMemory now() {
        List<Bound> bounds = new ArrayList<>();
        KernelFile.read(Path.of("/proc/meminfo"))
                .flatMap(MachineMemory::machine)
                .ifPresent(bounds::add);
        bounds.addAll(CgroupLimits.ofThisProcess());
        return new MachineMemory(bounds);
    }

    /** Bytes that could be used without paging out, from the text of {@code /proc/meminfo}; nothing if it does not say. */
    public static OptionalLong available(String meminfo) {
        long available = kibibytes(meminfo, "MemAvailable:");
        return available < 0 ? OptionalLong.empty() : OptionalLong.of(available);
    }

    /** The machine's own bound, from the text of {@code /proc/meminfo}. */
    static Optional<Bound> machine(String meminfo) {
        long total = kibibytes(meminfo, "MemTotal:");
        return total < 0 ? Optional.empty() : Optional.of(Bound.machine(total, kibibytes(meminfo, "MemAvailable:")));
    }

    /**
     * Refuses to promise more memory than there may be.
     *
     * @param what the option that asks for it
     * @param bytes that it asks for
     * @param accounts bytes that it takes to keep account of so many
     * @param heap bytes of heap that this process has in any case
     * @throws CommandFailure with the limit that is in the way, and with what would fit
     */
    public void check(String what, long bytes, long accounts, long heap) {
        long own = JVM + heap;
        for (Bound bound : tightestFirst()) {
            if (bytes > bound.room() - own - accounts) {
                long fits = (long) ((bound.room() - own) / (1 + (double) accounts / bytes) / MIB);
                throw new CommandFailure(
                        ExitCode.USAGE,
                        what + ": " + Size.format(bytes) + " does not fit into " + bound.name() + ", which is "
                                + Size.approximate(bound.total()) + ": this process takes about "
                                + Size.approximate(own)
                                + " itself, and " + Size.approximate(bound.margin()) + " are to stay free; "
                                + (fits > 0 ? "ask for " + fits + "M or less" : "so nothing is left"));
            }
        }
    }

    /**
     * Refuses a heap that the machine has no room for.
     *
     * @param needs a sentence's beginning: what takes it, and how much
     */
    void checkOwn(String needs, long heap) {
        for (Bound bound : tightestFirst()) {
            if (heap > bound.room() - JVM) {
                throw new CommandFailure(
                        ExitCode.USAGE,
                        needs + ", and there is no room for that in " + bound.name() + ", which is "
                                + Size.approximate(bound.total()) + "; ask for less, or for larger slabs");
            }
        }
    }

    /** A sentence if so many bytes more are not there at the moment, although they may be at another; else nothing. */
    public Optional<String> shortage(long bytes) {
        return bounds.stream()
                .filter(bound -> bytes > bound.available() - bound.margin())
                .min(Comparator.comparingLong(Bound::available))
                .map(bound -> "only " + Size.approximate(Math.max(0, bound.available())) + " of " + bound.name()
                        + " are free at the moment");
    }

    private List<Bound> tightestFirst() {
        return bounds.stream().sorted(Comparator.comparingLong(Bound::room)).toList();
    }

    /** Bytes; -1 if there is no such line. */
    private static long kibibytes(String meminfo, String name) {
        return meminfo.lines()
                .filter(line -> line.startsWith(name))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                .findFirst()
                .orElse(-1);
    }
}
