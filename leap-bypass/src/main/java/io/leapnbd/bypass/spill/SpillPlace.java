package io.leapnbd.bypass.spill;

import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Whether a file may lie where it does: not in memory, not on another machine, and not on the very device that the server feeds. A function of
 * what the kernel shows in {@code /proc/self/mountinfo} and {@code /sys}.
 *
 * <p>From the mount it goes down to the disks: through partitions, through what device mapper and md are made of ({@code slaves}), through loop
 * devices to the files behind them, and through all devices of a btrfs. What cannot be followed, such as an overlay whose folders another
 * container has, is let pass.
 */
final class SpillPlace {

    private static final Set<String> MEMORY = Set.of("tmpfs", "ramfs", "hugetlbfs", "devtmpfs");
    private static final Set<String> REMOTE =
            Set.of("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "afs", "glusterfs", "lustre", "ocfs2", "gfs2");
    private static final Pattern NBD = Pattern.compile("nbd\\d+");
    private static final Pattern IN_MEMORY = Pattern.compile("zram\\d+|ram\\d+");
    private static final Pattern BACKEND = Pattern.compile("leap-nbd 1 content=(\\S*) .*uri=(\\S+)");
    private static final Pattern EXPORT = Pattern.compile("[^:]+://[^/]*/([^?]*).*");

    /** Devices on devices: more than anybody stacks. */
    private static final int DEEPEST = 32;

    private final Path root;
    private final String export;

    private SpillPlace(Path root, String export) {
        this.root = root;
        this.export = export;
    }

    /**
     * Why a spill may not be there, in words that follow its name; null if it may.
     *
     * @param file with a folder that is there, and no symbolic links on the way
     * @param root where the kernel's files are: the root folder
     * @param export that the server serves
     */
    static @Nullable String refusal(Path file, Path root, String export) throws IOException {
        return new SpillPlace(root, export).refusal(file, 0);
    }

    private @Nullable String refusal(Path file, int depth) throws IOException {
        Mount mount = mountOf(file);
        if (mount == null || depth > DEEPEST) {
            return null;
        }
        if (MEMORY.contains(mount.type)) {
            return "is in memory (" + mount.type + " on " + mount.point
                    + "), which is what is short when pages go there; name a file on a disk";
        }
        if (REMOTE.contains(mount.type) || mount.type.startsWith("fuse")) {
            return "is not on a disk of this machine (" + mount.type + " on " + mount.point
                    + "); name a file on a local disk";
        }
        if (mount.type.equals("overlay")) {
            Path upper = mount.upper();
            return upper == null || mount.equals(mountOf(upper)) ? null : refusal(upper, depth + 1);
        }
        for (Path device : devices(mount)) {
            String why = refusalOfDevice(device, depth + 1);
            if (why != null) {
                return why;
            }
        }
        return null;
    }

    /** Folders of sysfs of the devices that a file system is on. */
    private List<Path> devices(Mount mount) throws IOException {
        List<Path> devices = new ArrayList<>();
        String source = mount.source.substring(mount.source.lastIndexOf('/') + 1);
        Path volumes = root.resolve("sys/fs/btrfs");
        if (mount.type.equals("btrfs") && Files.isDirectory(volumes)) {
            try (DirectoryStream<Path> all = Files.newDirectoryStream(volumes)) {
                for (Path volume : all) {
                    if (Files.exists(volume.resolve("devices").resolve(source))) {
                        addAll(volume.resolve("devices"), devices);
                    }
                }
            }
        }
        for (Path device : List.of(
                root.resolve("sys/dev/block").resolve(mount.number),
                root.resolve("sys/class/block").resolve(source.isEmpty() ? "none" : source))) {
            if (Files.exists(device)) {
                devices.add(device.toRealPath());
            }
        }
        return devices;
    }

    private static void addAll(Path folder, List<Path> to) throws IOException {
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
                for (Path one : all) {
                    to.add(one.toRealPath());
                }
            }
        }
    }

    private @Nullable String refusalOfDevice(Path device, int depth) throws IOException {
        if (depth > DEEPEST) {
            return null;
        }
        String name = device.getFileName().toString();
        if (IN_MEMORY.matcher(name).matches()) {
            return "is on /dev/" + name
                    + ", which keeps its blocks in memory, and memory is what is short when pages go there;"
                    + " name a file on a disk";
        }
        if (NBD.matcher(name).matches()) {
            return isOfAnother(read(device.resolve("backend")))
                    ? null
                    : "is on /dev/" + name + ", the very device that this server feeds, or one of which it cannot"
                            + " tell; its pages would wait for themselves. Name a file on a disk";
        }
        List<Path> below = new ArrayList<>();
        addAll(device.resolve("slaves"), below);
        Path whole = device.getParent();
        if (Files.exists(device.resolve("partition")) && whole != null) {
            below.add(whole);
        }
        for (Path one : below) {
            String why = refusalOfDevice(one, depth + 1);
            if (why != null) {
                return why;
            }
        }
        String backing = read(device.resolve("loop/backing_file"));
        return backing.startsWith("/") ? refusal(Path.of(backing), depth + 1) : null;
    }

    /** Whether an nbd device says of itself that it is connected to another export. */
    private boolean isOfAnother(String backend) {
        Matcher told = BACKEND.matcher(backend);
        if (!told.matches()) {
            return false;
        }
        Matcher uri = EXPORT.matcher(told.group(2));
        String its = uri.matches() ? URLDecoder.decode(uri.group(1).replace("+", "%2B"), StandardCharsets.UTF_8) : "";
        return !its.isEmpty() && !its.equals(export);
    }

    private static String read(Path file) throws IOException {
        return Files.isRegularFile(file) ? Files.readString(file).strip() : "";
    }

    /** The last one of those whose point is the longest beginning of a path. */
    private @Nullable Mount mountOf(Path file) throws IOException {
        Mount best = null;
        for (String line : Files.readAllLines(root.resolve("proc/self/mountinfo"))) {
            Mount mount = Mount.of(line);
            if (mount != null
                    && file.startsWith(mount.point)
                    && (best == null || mount.point.getNameCount() >= best.point.getNameCount())) {
                best = mount;
            }
        }
        return best;
    }

    /** A line of mountinfo (proc_pid_mountinfo(5)). */
    private record Mount(String number, Path point, String type, String source, String options) {

        static @Nullable Mount of(String line) {
            int dash = line.indexOf(" - ");
            if (dash < 0) {
                return null;
            }
            List<String> before = words(line.substring(0, dash), ' ');
            List<String> after = words(line.substring(dash + 3), ' ');
            return before.size() < 5 || after.size() < 2
                    ? null
                    : new Mount(
                            before.get(2),
                            Path.of(plain(before.get(4))),
                            after.get(0),
                            plain(after.get(1)),
                            after.size() > 2 ? plain(after.get(2)) : "");
        }

        @Nullable
        Path upper() {
            for (String option : words(options, ',')) {
                if (option.startsWith("upperdir=/")) {
                    return Path.of(option.substring("upperdir=".length()));
                }
            }
            return null;
        }

        private static List<String> words(String text, char between) {
            List<String> words = new ArrayList<>();
            int from = 0;
            for (int to = text.indexOf(between); to >= 0; to = text.indexOf(between, from)) {
                words.add(text.substring(from, to));
                from = to + 1;
            }
            words.add(text.substring(from));
            return words;
        }

        /** Blanks and the like are octal there. */
        private static String plain(String text) {
            StringBuilder out = new StringBuilder();
            for (int i = 0; i < text.length(); i++) {
                if (text.charAt(i) == '\\' && i + 3 < text.length()) {
                    out.append((char) Integer.parseInt(text.substring(i + 1, i + 4), 8));
                    i += 3;
                } else {
                    out.append(text.charAt(i));
                }
            }
            return out.toString();
        }
    }
}
