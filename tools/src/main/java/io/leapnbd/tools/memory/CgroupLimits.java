package io.leapnbd.tools.memory;

import io.leapnbd.tools.linux.KernelFile;
import io.leapnbd.tools.memory.MachineMemory.Bound;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The memory limits of the control groups that a process is in, of version 1 and 2, from its own group up to where the hierarchy
 * is mounted: a limit holds for everything below it. In a container the mount shows the container's own group as its root, or
 * the process's path is relative to it; either way the mount point itself has the limit.
 */
final class CgroupLimits {

    /** Version 1 says this, or a little less, where there is no limit. */
    private static final long NONE = Long.MAX_VALUE >>> 1;

    private CgroupLimits() {}

    /** Those that are set, the innermost first. */
    static List<Bound> ofThisProcess() {
        return of(
                Path.of("/"),
                KernelFile.read(Path.of("/proc/self/mountinfo")).orElse(""),
                KernelFile.read(Path.of("/proc/self/cgroup")).orElse(""));
    }

    /**
     * As {@link #ofThisProcess}.
     *
     * @param top what mount points are below
     * @param mounts the text of {@code /proc/self/mountinfo}
     * @param groups the text of {@code /proc/self/cgroup}
     */
    static List<Bound> of(Path top, String mounts, String groups) {
        List<Bound> bounds = new ArrayList<>();
        for (String line : mounts.lines().toList()) {
            Mount mount = Mount.parse(line);
            if (mount == null) {
                continue;
            }
            String group = group(groups, mount.unified());
            if (group == null) {
                continue;
            }
            Path root = top.resolve(mount.point().substring(1));
            for (Path folder = mount.folder(root, group);
                    folder != null && folder.startsWith(root);
                    folder = folder.getParent()) {
                if (mount.unified()) {
                    add(bounds, folder, "memory.max", "memory.current", "inactive_file");
                    add(bounds, folder, "memory.high", "memory.current", "inactive_file");
                } else {
                    add(bounds, folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
                }
            }
        }
        return bounds;
    }

    private static void add(List<Bound> bounds, Path folder, String limit, String usage, String reclaimable) {
        Path file = folder.resolve(limit);
        // Also absent: "max" is no number.
        Optional<Long> total = KernelFile.readLong(file).filter(bytes -> bytes < NONE);
        if (total.isPresent()) {
            long used = KernelFile.readLong(folder.resolve(usage)).orElse(0L);
            long cached = KernelFile.read(folder.resolve("memory.stat"))
                    .flatMap(text -> text.lines()
                            .filter(line -> line.startsWith(reclaimable + " "))
                            .map(line -> Long.parseLong(line.substring(reclaimable.length() + 1)))
                            .findFirst())
                    .orElse(0L);
            bounds.add(Bound.group(file, total.get(), total.get() - used + cached));
        }
    }

    /** The process's group in the hierarchy of the memory controller; lines are {@code number:controllers:/path}. */
    private static @Nullable String group(String groups, boolean unified) {
        for (String line : groups.lines().toList()) {
            String[] columns = line.split(":", 3);
            if (columns.length == 3
                    && (unified
                            ? columns[0].equals("0") && columns[1].isEmpty()
                            : List.of(columns[1].split(",", -1)).contains("memory"))) {
                return columns[2];
            }
        }
        return null;
    }

    /**
     * A mounted hierarchy that may have the memory controller.
     *
     * @param unified whether of version 2
     * @param root the group that is its root here
     * @param point where it is mounted, absolute
     */
    private record Mount(boolean unified, String root, String point) {

        /** {@code 36 35 98:0 /root /point options tags - type source superoptions}; null if it is something else. */
        static @Nullable Mount parse(String line) {
            int dash = line.indexOf(" - ");
            if (dash < 0) {
                return null;
            }
            String[] left = line.substring(0, dash).split(" ", -1);
            String[] right = line.substring(dash + 3).split(" ", -1);
            boolean unified = right[0].equals("cgroup2");
            boolean memory = right[0].equals("cgroup")
                    && right.length > 2
                    && List.of(right[2].split(",", -1)).contains("memory");
            if (left.length < 5 || !(unified || memory)) {
                return null;
            }
            return new Mount(unified, left[3], left[4].replace("\\040", " "));
        }

        /** Where a group is shown; the mount point if it is not shown at all. */
        Path folder(Path shown, String group) {
            String below = root.equals("/") ? group : group.startsWith(root) ? group.substring(root.length()) : "";
            Path folder = shown.resolve(below.replaceFirst("^/+", "")).normalize();
            return folder.startsWith(shown) && Files.isDirectory(folder) ? folder : shown;
        }
    }
}
