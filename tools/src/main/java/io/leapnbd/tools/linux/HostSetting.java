package io.leapnbd.tools.linux;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A setting of the whole machine that a swap device over the network needs, as a number.
 *
 * @param name as in sysctl
 * @param bound how the wanted value binds
 * @param wanted the value
 * @param why what goes wrong otherwise
 */
public record HostSetting(String name, Bound bound, long wanted, String why) {
    /** How a wanted value binds. */
    public enum Bound {
        AT_LEAST,
        AT_MOST,
        EXACTLY
    }

    /** Where the kernel shows all settings. */
    public static final Path SYSCTL = Path.of("/proc/sys");

    private static final long MEBIBYTE_IN_KIB = 1024;

    /** What {@code attach} sets and {@code doctor} checks. {@code memoryKib} is the machine's memory. */
    public static List<HostSetting> forMemory(long memoryKib) {
        // A sixteenth is for small machines: 8 MiB of 231 were seen to run out for a moment (order-0 failures in the
        // driver's own sends), 16 were not.
        long least = Math.min(16 * MEBIBYTE_IN_KIB, memoryKib / 8);
        long reserve = Math.clamp(memoryKib / 32, least, 256 * MEBIBYTE_IN_KIB);
        return List.of(
                new HostSetting(
                        "vm.min_free_kbytes",
                        Bound.AT_LEAST,
                        reserve,
                        "sending a page out needs memory itself: sockets and their buffers come from this reserve"),
                new HostSetting(
                        "vm.watermark_scale_factor",
                        Bound.AT_LEAST,
                        100,
                        "the kernel starts to page out earlier, while there still is memory to do it with"),
                new HostSetting(
                        "vm.watermark_boost_factor",
                        Bound.AT_MOST,
                        0,
                        "a boosted watermark makes every allocation wait for pages that are still on their way out"));
    }

    /** The machine's memory in KiB. */
    public static long memoryKib() {
        return meminfo("MemTotal").orElse(0L);
    }

    /** A line of /proc/meminfo, in KiB. */
    public static Optional<Long> meminfo(String key) {
        return KernelFile.read(Path.of("/proc/meminfo")).stream()
                .flatMap(String::lines)
                .filter(line -> line.startsWith(key + ":"))
                .map(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst();
    }

    /** Where the kernel keeps it, below {@link #SYSCTL}. */
    public static Path file(Path sysctl, String name) {
        return sysctl.resolve(name.replace('.', '/'));
    }

    /** Its value now; nothing when this kernel does not have it. */
    public Optional<Long> current(Path sysctl) {
        return KernelFile.readLong(file(sysctl, name));
    }

    public boolean isMetBy(long value) {
        return switch (bound) {
            case AT_LEAST -> value >= wanted;
            case AT_MOST -> value <= wanted;
            case EXACTLY -> value == wanted;
        };
    }
}
