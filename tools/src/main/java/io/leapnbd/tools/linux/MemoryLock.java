package io.leapnbd.tools.linux;

import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Locks this process in memory: nothing of it that is in memory is ever paged out. Lost over {@code execve} and not
 * inherited by fork.
 *
 * <p>A plain {@code mlockall(MCL_CURRENT)} brings in everything that is mapped, of which a JVM touches a part. So pages are
 * locked as they are touched ({@code MCL_ONFAULT}), and what must not be missed later is brought in at once: code, the Java heap,
 * the C library's heap, and every other mapping that is not one of these:
 *
 * <ul>
 *   <li>The file of the JDK's classes, 130 MB, and the archive of prepared ones, which is writable and private: locking would copy
 *       every page of it.
 *   <li>Stacks of threads. Those of the event loops, which are started later, are locked as they are touched too.
 *   <li>What a library's file has beside code: tables that the dynamic linker went through once, and others that only C++
 *       exceptions need. It is let go here, and what is in use comes back at once, from the page cache, to stay.
 * </ul>
 */
public final class MemoryLock {
    private static final int MCL_CURRENT = 1;
    private static final int MCL_FUTURE = 2;
    private static final int MCL_ONFAULT = 4;
    private static final int MADV_DONTNEED = 4;
    /** The JDK's classes, in its lib folder, and what the JVM prepared of them: it touches a part of either. */
    private static final List<String> CLASS_IMAGES = List.of("/lib/modules", ".jsa", ".aot");

    private MemoryLock() {}

    /**
     * A mapped range of this process.
     *
     * @param start address
     * @param end address after the last byte
     * @param permissions as in {@code /proc/self/maps}, like {@code r-xp}
     * @param file what is mapped; empty for anonymous memory
     * @param anonymous KiB of pages that are not the file's, or not any more
     * @param guarded whether the range below it may not be touched, as it is below a stack
     */
    record Mapping(long start, long end, String permissions, String file, long anonymous, boolean guarded) {
        long length() {
            return end - start;
        }

        /** Whether it is a file's, only to be read, and has nothing but what the file has: nothing is lost with its pages. */
        boolean restorable() {
            return permissions.startsWith("r-") && file.startsWith("/") && anonymous == 0;
        }

        private boolean stack() {
            return guarded && file.isEmpty() && permissions.startsWith("rw-");
        }

        boolean wanted() {
            return permissions.startsWith("r")
                    && !file.startsWith("[v")
                    && CLASS_IMAGES.stream().noneMatch(file::endsWith)
                    && !restorable()
                    && !stack();
        }
    }

    /** Locks everything that is mapped and everything that will be. */
    public static void lockAll() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            SystemCalls calls = new SystemCalls(arena);
            List<Mapping> mappings =
                    mappings(KernelFile.read(Path.of("/proc/self/smaps")).orElse(""));
            for (Mapping mapping : mappings) {
                if (mapping.restorable()) {
                    calls.call(Call.MADVISE, mapping.start, mapping.length(), MADV_DONTNEED);
                }
            }
            calls.require(Call.MLOCKALL, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
            for (Mapping mapping : mappings) {
                if (mapping.wanted()) {
                    // A mapping that has gone meanwhile, or ends at a guard page, is no failure.
                    calls.call(Call.MLOCK, mapping.start, mapping.length());
                }
            }
        }
    }

    /** Reads proc_pid_smaps(5): a line {@code start-end rwxp offset device inode  path}, and then lines {@code Name: value}. */
    static List<Mapping> mappings(String smaps) {
        List<Mapping> mappings = new ArrayList<>();
        long guardEnd = 0;
        for (String line : smaps.lines().toList()) {
            int space = line.indexOf(' ');
            int dash = line.lastIndexOf('-', space);
            if (dash > 0 && line.indexOf(':') > space) {
                String[] columns = line.split(" +", 6);
                long start = Long.parseUnsignedLong(line.substring(0, dash), 16);
                long end = Long.parseUnsignedLong(line.substring(dash + 1, space), 16);
                String file = columns.length > 5 ? columns[5].strip() : "";
                mappings.add(new Mapping(start, end, columns[1], file, 0, guardEnd == start));
                guardEnd = columns[1].startsWith("---") ? end : 0;
            } else if (line.startsWith("Anonymous:")) {
                Mapping last = mappings.removeLast();
                long anonymous = Long.parseLong(line.substring(line.indexOf(':') + 1, line.lastIndexOf(' '))
                        .strip());
                mappings.add(new Mapping(last.start, last.end, last.permissions, last.file, anonymous, last.guarded));
            }
        }
        return mappings;
    }

    public static void unlockAll() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            new SystemCalls(arena).require(Call.MUNLOCKALL, 0);
        }
    }
}
