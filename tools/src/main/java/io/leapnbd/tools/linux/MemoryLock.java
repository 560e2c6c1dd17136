package io.leapnbd.tools.linux;

import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Locks this process in memory: nothing of it that is in memory is ever paged out. Lost over {@code execve} and not
 * inherited by fork.
 *
 * <p>A plain {@code mlockall(MCL_CURRENT)} brings in everything that is mapped, and a JVM maps the whole file of the
 * JDK's classes: 130 MB of which it touches little, and an archive of prepared ones, writable and private, of which
 * locking would copy every page. So pages are locked as they are touched ({@code MCL_ONFAULT}), and
 * every other mapping is brought in at once.
 */
public final class MemoryLock {
    private static final int MCL_CURRENT = 1;
    private static final int MCL_FUTURE = 2;
    private static final int MCL_ONFAULT = 4;
    /** The JDK's classes, in its lib folder, and what the JVM prepared of them: it touches a part of either. */
    private static final List<String> CLASS_IMAGES = List.of("/lib/modules", ".jsa", ".aot");

    private MemoryLock() {}

    /**
     * A mapped range of this process.
     *
     * @param start address
     * @param length in bytes
     * @param readable whether it can be touched at all
     * @param file what is mapped; empty for anonymous memory
     */
    record Mapping(long start, long length, boolean readable, String file) {
        boolean wanted() {
            return readable && !file.startsWith("[v") && CLASS_IMAGES.stream().noneMatch(file::endsWith);
        }
    }

    /** Locks everything that is mapped and everything that will be. */
    public static void lockAll() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            SystemCalls calls = new SystemCalls(arena);
            calls.require(Call.MLOCKALL, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
            for (Mapping mapping :
                    mappings(KernelFile.read(Path.of("/proc/self/maps")).orElse(""))) {
                if (mapping.wanted()) {
                    // A mapping that has gone meanwhile, or ends at a guard page, is no failure.
                    calls.call(Call.MLOCK, mapping.start, mapping.length);
                }
            }
        }
    }

    /** Lines are {@code start-end rwxp offset device inode  path}. */
    static List<Mapping> mappings(String maps) {
        List<Mapping> mappings = new ArrayList<>();
        for (String line : maps.lines().toList()) {
            String[] columns = line.split(" +", 6);
            String[] range = columns[0].split("-", 2);
            long start = Long.parseUnsignedLong(range[0], 16);
            mappings.add(new Mapping(
                    start,
                    Long.parseUnsignedLong(range[1], 16) - start,
                    columns[1].startsWith("r"),
                    columns.length > 5 ? columns[5].strip() : ""));
        }
        return mappings;
    }

    public static void unlockAll() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            new SystemCalls(arena).require(Call.MUNLOCKALL, 0);
        }
    }
}
