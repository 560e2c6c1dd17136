package io.leapnbd.tools.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What {@code /proc/meminfo} tells.
 *
 * @param total bytes of RAM; {@link Long#MAX_VALUE} if that cannot be told
 * @param available bytes that could be used without paging out; {@link Long#MAX_VALUE} if that cannot be told
 */
public record MachineMemory(long total, long available) {

    /** What there is now. */
    public static MachineMemory now() {
        try {
            List<String> lines = Files.readAllLines(Path.of("/proc/meminfo"));
            return new MachineMemory(kibibytes(lines, "MemTotal:"), kibibytes(lines, "MemAvailable:"));
        } catch (IOException e) {
            return new MachineMemory(Long.MAX_VALUE, Long.MAX_VALUE);
        }
    }

    /**
     * Refuses to promise more memory than the machine has.
     *
     * @param what the option that asks for it
     * @throws CommandFailure with both numbers
     */
    public void check(String what, long bytes) {
        if (bytes > total) {
            throw new CommandFailure(
                    ExitCode.USAGE,
                    what + " " + Size.format(bytes) + " is more than this machine has, "
                            + Size.approximate(total) + "; ask for less than the "
                            + Size.approximate(available) + " that are free now");
        }
    }

    private static long kibibytes(List<String> lines, String name) {
        for (String line : lines) {
            if (line.startsWith(name)) {
                return Long.parseLong(line.replaceAll("\\D", "")) << 10;
            }
        }
        return Long.MAX_VALUE;
    }
}
