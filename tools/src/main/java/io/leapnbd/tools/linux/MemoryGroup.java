package io.leapnbd.tools.linux;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The memory cgroup of a process, in whichever version of the hierarchy has the memory controller.
 *
 * @param directory where the kernel shows it
 * @param unified whether that is version 2
 */
public record MemoryGroup(Path directory, boolean unified) {
    private static final String NO_LIMIT = "max";
    private static final long PAGE = 4096;

    /** Slices of slices, a user's manager with slices of its own, and the unit. */
    private static final int UNIT_DEPTH = 8;

    /** That of a process; nothing if it has ended, or the machine has no memory controller. */
    public static Optional<MemoryGroup> of(long pid) {
        String mounts = KernelFile.read(Path.of("/proc/self/mounts")).orElse("");
        return KernelFile.read(Path.of("/proc/" + pid + "/cgroup")).flatMap(groups -> in(mounts, groups));
    }

    static Optional<MemoryGroup> in(String mounts, String groups) {
        Optional<String> path = groups.lines()
                .map(line -> line.split(":", 3))
                .filter(parts -> parts.length == 3 && (',' + parts[1] + ',').contains(",memory,"))
                .map(parts -> parts[2])
                .findFirst();
        Optional<String> mount = version1(mounts);
        if (path.isPresent() && mount.isPresent()) {
            return Optional.of(new MemoryGroup(
                    Path.of(mount.get()).resolve(path.get().substring(1)).normalize(), false));
        }
        return Cgroup.rootIn(mounts)
                .flatMap(root -> Cgroup.pathIn(groups)
                        .map(own ->
                                new MemoryGroup(root.resolve(own.substring(1)).normalize(), true)));
    }

    private static Optional<String> version1(String mounts) {
        return mounts.lines()
                .map(line -> line.split(" ", -1))
                .filter(columns -> columns.length > 3
                        && columns[2].equals("cgroup")
                        && (',' + columns[3] + ',').contains(",memory,"))
                .map(columns -> columns[1])
                .findFirst();
    }

    /**
     * The group of a systemd unit that runs, wherever its slice is; nothing if there is none.
     *
     * @param unit its name; without a type it is a service
     * @throws IOException if the groups cannot be looked through
     */
    public static Optional<MemoryGroup> ofUnit(String unit) throws IOException {
        String mounts = KernelFile.read(Path.of("/proc/self/mounts")).orElse("");
        Optional<Path> root = version1(mounts).map(Path::of).or(() -> Cgroup.rootIn(mounts));
        return root.isPresent() ? ofUnit(unit, root.get()) : Optional.empty();
    }

    static Optional<MemoryGroup> ofUnit(String unit, Path root) throws IOException {
        Path name = Path.of(unit.indexOf('.') < 0 ? unit + ".service" : unit);
        try (Stream<Path> all =
                Files.find(root, UNIT_DEPTH, (path, about) -> about.isDirectory() && name.equals(path.getFileName()))) {
            return all.sorted().findFirst().flatMap(MemoryGroup::at);
        } catch (UncheckedIOException e) {
            // A group has ended meanwhile.
            throw new IOException("the cgroups below " + root + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** The group that a folder is; nothing if it is none. */
    public static Optional<MemoryGroup> at(Path directory) {
        boolean unified = Files.exists(directory.resolve("cgroup.controllers"));
        return Files.exists(directory.resolve("cgroup.procs"))
                ? Optional.of(new MemoryGroup(directory.toAbsolutePath().normalize(), unified))
                : Optional.empty();
    }

    /** Pages that it may have in memory, by its own limit and those above it; {@link Long#MAX_VALUE} if there is none. */
    public long limitPages() {
        if (!unified) {
            return KernelFile.read(directory.resolve("memory.stat")).stream()
                    .flatMap(String::lines)
                    .filter(line -> line.startsWith("hierarchical_memory_limit "))
                    .mapToLong(line ->
                            Long.parseLong(line.substring(line.indexOf(' ') + 1).strip()) / PAGE)
                    .findFirst()
                    .orElse(Long.MAX_VALUE);
        }
        long least = Long.MAX_VALUE;
        for (Path group = directory;
                group != null && Files.exists(group.resolve("cgroup.procs"));
                group = group.getParent()) {
            for (String file : new String[] {"memory.max", "memory.high"}) {
                String value = KernelFile.read(group.resolve(file)).orElse(NO_LIMIT);
                least = value.equals(NO_LIMIT) ? least : Math.min(least, Long.parseLong(value) / PAGE);
            }
        }
        return least;
    }

    /** The processes in it. */
    public java.util.List<Integer> processes() {
        return KernelFile.read(directory.resolve("cgroup.procs")).stream()
                .flatMap(String::lines)
                .map(String::strip)
                .filter(line -> !line.isEmpty())
                .map(Integer::parseInt)
                .toList();
    }
}
