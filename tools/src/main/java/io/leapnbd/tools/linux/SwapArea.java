package io.leapnbd.tools.linux;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A swap area in use, as /proc/swaps lists it, and the two system calls that make and unmake one.
 *
 * @param device the block device
 * @param bytes its usable size
 * @param used bytes of it that hold pages
 */
public record SwapArea(Path device, long bytes, long used) {
    private static final long SWAP_FLAG_PREFER = 0x8000;
    private static final long SWAP_FLAG_PRIORITY_MASK = 0x7fff;
    private static final long SWAP_FLAG_DISCARD = 0x1_0000;

    /** The areas in use now. */
    public static List<SwapArea> inUse() throws IOException {
        return parse(Files.readAllLines(Path.of("/proc/swaps")));
    }

    static List<SwapArea> parse(List<String> lines) {
        List<SwapArea> areas = new ArrayList<>();
        for (String line : lines) {
            String[] columns = line.trim().split("\\s+", -1);
            if (columns.length < 4 || !columns[0].startsWith("/")) {
                continue;
            }
            String name = columns[0].replace("\\040", " ").replaceAll(" \\(deleted\\)$", "");
            areas.add(
                    new SwapArea(Path.of(name), Long.parseLong(columns[2]) * 1024, Long.parseLong(columns[3]) * 1024));
        }
        return areas;
    }

    public static Optional<SwapArea> on(Path device) throws IOException {
        return inUse().stream().filter(area -> area.device.equals(device)).findFirst();
    }

    /**
     * Starts to swap on the device.
     *
     * @param priority 0 to 32767; higher is used first
     * @param discard tell the device which pages are free, at once for the whole area and then as they are freed
     */
    public static void on(Path device, int priority, boolean discard) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            long flags = SWAP_FLAG_PREFER | (priority & SWAP_FLAG_PRIORITY_MASK) | (discard ? SWAP_FLAG_DISCARD : 0);
            new SystemCalls(arena)
                    .require(Call.SWAPON, arena.allocateFrom(device.toString()).address(), flags);
        }
    }

    /**
     * Moves all pages back into memory and stops to swap on the device. Takes as long as that takes. While it runs the
     * kernel makes the calling process the first victim of the OOM killer, so this is not for a process that others
     * depend on.
     */
    public static void off(Path device) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            new SystemCalls(arena)
                    .require(Call.SWAPOFF, arena.allocateFrom(device.toString()).address());
        }
    }
}
