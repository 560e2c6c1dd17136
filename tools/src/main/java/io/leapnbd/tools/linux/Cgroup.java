package io.leapnbd.tools.linux;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A control group of the unified hierarchy (version 2) that has the memory controller.
 *
 * @param directory where the kernel shows it
 */
public record Cgroup(Path directory) {
    private static final String PREFIX = "leap-nbd-";
    private static final String VERSION_1 = "/sys/fs/cgroup/memory";
    private static final String UNIFIED = "boot with systemd.unified_cgroup_hierarchy=1";

    /** Where the unified hierarchy is mounted; nothing on a machine that has version 1 only. */
    public static Optional<Path> root() {
        return KernelFile.read(Path.of("/proc/self/mounts")).flatMap(Cgroup::rootIn);
    }

    static Optional<Path> rootIn(String mounts) {
        for (String line : mounts.split("\n", -1)) {
            String[] columns = line.split(" ", -1);
            if (columns.length > 2 && columns[2].equals("cgroup2")) {
                return Optional.of(Path.of(columns[1].replace("\\040", " ")));
            }
        }
        return Optional.empty();
    }

    /** The group of a process. */
    public static Optional<Cgroup> of(long pid) {
        return root().flatMap(root -> KernelFile.read(Path.of("/proc/" + pid + "/cgroup"))
                .flatMap(text -> pathIn(text))
                .map(path -> new Cgroup(root.resolve(path.substring(1)).normalize())));
    }

    /** The line of the unified hierarchy is {@code 0::/path}. */
    static Optional<String> pathIn(String text) {
        return text.lines()
                .filter(line -> line.startsWith("0::/"))
                .map(line -> line.substring(3))
                .findFirst();
    }

    /**
     * Makes a group of our own. Tried at the top of the hierarchy first, then beside the group of this process (which is
     * where systemd delegates to a user).
     *
     * @param name of it; prefixed with {@code leap-nbd-}
     * @throws IOException in one sentence with the remedy
     */
    public static Cgroup create(String name) throws IOException {
        return create(root(), name);
    }

    /** As {@link #create(String)}, with what {@link #root} would say. */
    static Cgroup create(Optional<Path> unified, String name) throws IOException {
        Path root = unified.orElseThrow(() -> new IOException("this machine has no cgroup v2"
                + (Files.isDirectory(Path.of(VERSION_1))
                        ? ": version 1 is mounted; " + UNIFIED
                        : "; mount it: mount -t cgroup2 none /sys/fs/cgroup")));
        List<Path> parents = new ArrayList<>(List.of(root));
        of(ProcessHandle.current().pid())
                .map(own -> own.directory.getParent())
                .filter(parent -> parent != null && parent.startsWith(root) && !parent.equals(root))
                .ifPresent(parents::add);
        String why = "";
        for (Path parent : parents) {
            try {
                return createIn(parent, name);
            } catch (AccessDeniedException e) {
                why = "no permission to make a cgroup in " + parent
                        + "; run as root, or within: systemd-run --user --scope -p Delegate=yes";
            } catch (IOException e) {
                why = why.isEmpty() ? String.valueOf(e.getMessage()) : why;
            }
        }
        throw new IOException(why);
    }

    private static Cgroup createIn(Path parent, String name) throws IOException {
        if (!KernelFile.read(parent.resolve("cgroup.controllers")).orElse("").contains("memory")) {
            throw new IOException("cgroup v2 does not have the memory controller in " + parent
                    + (Files.isDirectory(Path.of(VERSION_1)) ? ": version 1 holds it; " + UNIFIED : ""));
        }
        if (!KernelFile.read(parent.resolve("cgroup.subtree_control"))
                .orElse("")
                .contains("memory")) {
            KernelFile.write(parent.resolve("cgroup.subtree_control"), "+memory");
        }
        Path directory = parent.resolve(PREFIX + name);
        if (!Files.isDirectory(directory)) {
            Files.createDirectory(directory);
        }
        return new Cgroup(directory);
    }

    /** Sets one of its files, {@code memory.max} for example. */
    public void set(String file, String value) throws IOException {
        KernelFile.write(directory.resolve(file), value);
    }

    /** Reads one of its files. */
    public Optional<String> get(String file) {
        return KernelFile.read(directory.resolve(file));
    }

    /** Moves a process, with all of its threads, into this group. */
    public void add(long pid) throws IOException {
        set("cgroup.procs", Long.toString(pid));
    }

    /** The processes in it. */
    public List<Long> processes() {
        return get("cgroup.procs").stream()
                .flatMap(String::lines)
                .map(String::strip)
                .filter(line -> !line.isEmpty())
                .map(Long::parseLong)
                .toList();
    }

    /** Removes it; false when processes are still in it. */
    public boolean remove() {
        try {
            Files.deleteIfExists(directory);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Our own groups whose name starts with {@code name}, as far as they are at the top of the hierarchy. */
    public static List<Cgroup> ours(String name) {
        Optional<Path> root = root();
        if (root.isEmpty()) {
            return List.of();
        }
        List<Cgroup> found = new ArrayList<>();
        try (var entries = Files.newDirectoryStream(root.get(), PREFIX + name + "*")) {
            entries.forEach(entry -> found.add(new Cgroup(entry)));
        } catch (IOException e) {
            return List.of();
        }
        return found;
    }

    /** Removes those of our groups that no process is in any more. */
    public static void sweep(String name) {
        ours(name).forEach(Cgroup::remove);
    }
}
