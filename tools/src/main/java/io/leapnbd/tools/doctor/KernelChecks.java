package io.leapnbd.tools.doctor;

import io.leapnbd.donor.verbs.Verbs;
import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the kernel of a machine is able to do and how it is set, read from /proc and /sys under {@code root}. */
record KernelChecks(Path root) {
    /** Generic netlink for nbd came with 4.12, its dead-connection timeout and reconfiguration with 4.14. */
    private static final int OLDEST = version(4, 14);
    /** PR_SET_IO_FLUSHER. */
    private static final int IO_FLUSHER = version(5, 6);

    private static final Pattern VERSION = Pattern.compile("(\\d+)\\.(\\d+).*", Pattern.DOTALL);

    private static int version(int major, int minor) {
        return major * 1000 + minor;
    }

    List<Check> all() {
        List<Check> checks = new ArrayList<>();
        checks.add(release());
        checks.add(nbd());
        checks.add(swap());
        checks.add(cgroup());
        checks.add(zswap());
        checks.addAll(settings());
        checks.add(swappiness());
        checks.add(pageCluster());
        checks.add(overcommit());
        checks.add(rdma());
        return checks;
    }

    private Optional<String> read(String file) {
        return KernelFile.read(root.resolve(file));
    }

    Check release() {
        String release = read("proc/sys/kernel/osrelease").orElse("");
        Matcher matcher = VERSION.matcher(release);
        int version =
                matcher.matches() ? version(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2))) : 0;
        if (version < OLDEST) {
            return Check.fail(
                    "kernel", release.isEmpty() ? "unknown" : release, "attach needs Linux 4.14, better 6.1 or newer");
        }
        if (version < IO_FLUSHER) {
            return Check.warn("kernel", release, "5.6 or newer protects servers of swap (PR_SET_IO_FLUSHER)");
        }
        return Check.ok("kernel", release);
    }

    Check nbd() {
        if (Files.isDirectory(root.resolve("sys/module/nbd"))) {
            return Check.ok("nbd driver", "loaded");
        }
        String release = read("proc/sys/kernel/osrelease").orElse("");
        for (String tree : List.of("lib/modules", "usr/lib/modules")) {
            for (String list : List.of("modules.dep", "modules.builtin")) {
                Path file = root.resolve(tree).resolve(release).resolve(list);
                if (contains(file, "/nbd.ko")) {
                    return Check.ok("nbd driver", "available, attach loads it");
                }
            }
        }
        return Check.fail(
                "nbd driver",
                "not in this kernel",
                "install the kernel's modules (linux-image-amd64, or linux-modules-extra on Ubuntu): attach and serve --swap need it,"
                        + " donor and serve without --swap do not");
    }

    private static boolean contains(Path file, String text) {
        try (var lines = Files.lines(file)) {
            return lines.anyMatch(line -> line.contains(text));
        } catch (IOException | java.io.UncheckedIOException e) {
            return false;
        }
    }

    Check swap() {
        Optional<String> swaps = read("proc/swaps");
        if (swaps.isEmpty()) {
            return Check.fail("swap", "this kernel cannot swap", "use one with CONFIG_SWAP");
        }
        List<String> inUse = swaps.get().lines().skip(1).toList();
        boolean ahead = inUse.stream().anyMatch(line -> priority(line) > 100);
        if (ahead) {
            return Check.warn(
                    "swap",
                    "an area has a priority above 100",
                    "it fills first; attach with a higher --priority than it");
        }
        return Check.ok("swap", inUse.isEmpty() ? "none in use" : inUse.size() + " in use");
    }

    private static int priority(String line) {
        String[] columns = line.strip().split("\\s+", -1);
        try {
            return Integer.parseInt(columns[columns.length - 1]);
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    Check cgroup() {
        String mounts = read("proc/self/mounts").orElse("");
        Optional<String> mount = mounts.lines()
                .map(line -> line.split(" ", -1))
                .filter(columns -> columns.length > 2 && columns[2].equals("cgroup2"))
                .map(columns -> columns[1])
                .findFirst();
        if (mount.isEmpty()) {
            return Check.warn(
                    "cgroup v2",
                    "not mounted",
                    "leap-nbd run needs it: boot with systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2 none"
                            + " /sys/fs/cgroup");
        }
        String controllers =
                read(mount.get().substring(1) + "/cgroup.controllers").orElse("");
        return controllers.contains("memory")
                ? Check.ok("cgroup v2", mount.get() + " with the memory controller")
                : Check.warn(
                        "cgroup v2",
                        mount.get() + " without the memory controller",
                        "leap-nbd run needs it: version 1 may hold it (cgroup_no_v1=memory), or it is off"
                                + " (cgroup_enable=memory)");
    }

    Check zswap() {
        return read("sys/module/zswap/parameters/enabled").orElse("N").startsWith("Y")
                ? Check.warn(
                        "zswap",
                        "on: pages are kept compressed in this machine's own memory first",
                        "echo N > /sys/module/zswap/parameters/enabled to send them all to the donors")
                : Check.ok("zswap", "off");
    }

    List<Check> settings() {
        long memory = read("proc/meminfo").stream()
                .flatMap(String::lines)
                .filter(line -> line.startsWith("MemTotal:"))
                .map(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElse(0L);
        List<Check> checks = new ArrayList<>();
        for (HostSetting setting : HostSetting.forMemory(memory)) {
            Optional<Long> value = setting.current(root.resolve("proc/sys"));
            if (value.isEmpty()) {
                checks.add(Check.ok(setting.name(), "not in this kernel"));
            } else if (setting.isMetBy(value.get())) {
                checks.add(Check.ok(setting.name(), Long.toString(value.get())));
            } else {
                checks.add(Check.warn(
                        setting.name(),
                        value.get() + ": " + setting.why(),
                        "attach sets it to " + setting.wanted() + "; or: sysctl -w " + setting.name() + "="
                                + setting.wanted()));
            }
        }
        return checks;
    }

    Check swappiness() {
        long value = read("proc/sys/vm/swappiness").map(Long::parseLong).orElse(60L);
        return value == 0
                ? Check.warn("vm.swappiness", "0: the kernel swaps in an emergency only", "sysctl -w vm.swappiness=60")
                : Check.ok("vm.swappiness", Long.toString(value));
    }

    Check pageCluster() {
        long value = read("proc/sys/vm/page-cluster").map(Long::parseLong).orElse(3L);
        return Check.ok("vm.page-cluster", value + ": reads " + (1L << value) + " pages at once");
    }

    Check overcommit() {
        return read("proc/sys/vm/overcommit_memory").orElse("0").equals("2")
                ? Check.warn(
                        "overcommit",
                        "strict (2): programs may be refused memory although swap is free",
                        "sysctl -w vm.overcommit_memory=0")
                : Check.ok("overcommit", "not strict");
    }

    Check rdma() {
        Path devices = root.resolve("sys/class/infiniband");
        List<String> names = new ArrayList<>();
        if (Files.isDirectory(devices)) {
            try (var entries = Files.newDirectoryStream(devices)) {
                entries.forEach(entry -> names.add(entry.getFileName().toString()));
            } catch (IOException e) {
                return Check.warn("RDMA", "cannot list " + devices, "");
            }
        }
        if (names.isEmpty()) {
            return Check.ok("RDMA", "no device: TCP to the donors; with an RDMA card: " + Verbs.REMEDY);
        }
        for (String node : List.of("rdma_cm", "uverbs0")) {
            if (!Files.exists(root.resolve("dev/infiniband").resolve(node))) {
                return Check.warn(
                        "RDMA",
                        String.join(", ", names) + ", but /dev/infiniband/" + node + " is missing",
                        "modprobe rdma_ucm ib_uverbs");
            }
        }
        return Check.ok("RDMA", String.join(", ", names));
    }
}
