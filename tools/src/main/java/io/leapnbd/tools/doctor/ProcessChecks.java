package io.leapnbd.tools.doctor;

import io.leapnbd.tools.linux.Capability;
import io.leapnbd.tools.linux.Exec;
import io.leapnbd.tools.linux.IoFlusher;
import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.ResourceLimit;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What this user, this JVM and the installed programs allow. */
final class ProcessChecks {
    private static final int JAVA = 25;
    private static final String SEARCH =
            Optional.ofNullable(System.getenv("PATH")).orElse("") + ":/usr/sbin:/sbin";

    private ProcessChecks() {}

    static List<Check> all() {
        List<Check> checks = new ArrayList<>();
        Map<Capability, String> uses = Map.of(
                Capability.CAP_SYS_ADMIN, "attach and detach need it",
                Capability.CAP_SYS_RESOURCE, "marks servers of swap for the kernel and spares them from the OOM killer",
                Capability.CAP_IPC_LOCK, "locks servers in memory",
                Capability.CAP_SYS_NICE, "runs servers ahead of the programs that fill the memory");
        for (Capability capability : Capability.values()) {
            checks.add(
                    capability.held()
                            ? Check.ok(capability.name(), "held")
                            : Check.warn(
                                    capability.name(),
                                    "not held: " + uses.get(capability),
                                    "run as root, or AmbientCapabilities=" + capability + " under systemd"));
        }
        checks.add(memlock());
        checks.add(ioFlusher());
        checks.add(program(
                "perl", "the launcher marks servers of swap with it before Java starts", "apt-get install perl"));
        checks.add(
                Exec.find("nbd-client", SEARCH).isPresent()
                        ? Check.ok("nbd-client", "installed; attach does not need it")
                        : Check.ok("nbd-client", "not installed; attach does not need it"));
        checks.add(java());
        return checks;
    }

    private static Check memlock() {
        try {
            long soft = ResourceLimit.memlock().soft();
            if (soft == ResourceLimit.UNLIMITED || Capability.CAP_IPC_LOCK.held()) {
                return Check.ok("locked memory", soft == ResourceLimit.UNLIMITED ? "no limit" : "no limit for root");
            }
            return Check.warn(
                    "locked memory",
                    "limit is " + (soft >> 10) + " KiB",
                    "ulimit -l unlimited, or LimitMEMLOCK=infinity under systemd");
        } catch (LinuxException e) {
            return Check.warn("locked memory", String.valueOf(e.getMessage()), "");
        }
    }

    private static Check ioFlusher() {
        try {
            return IoFlusher.isSet()
                    ? Check.ok("IO flusher", "set for this process")
                    : Check.ok("IO flusher", "supported; serve and attach set it");
        } catch (LinuxException e) {
            return Check.warn(
                    "IO flusher",
                    String.valueOf(e.getMessage()),
                    "needs Linux 5.6 and the capability CAP_SYS_RESOURCE");
        }
    }

    private static Check program(String name, String use, String remedy) {
        return Exec.find(name, SEARCH)
                .map(path -> Check.ok(name, path.toString()))
                .orElseGet(() -> Check.warn(name, "not found: " + use, remedy));
    }

    private static Check java() {
        int feature = Runtime.version().feature();
        if (feature < JAVA) {
            return Check.fail("Java", Runtime.version().toString(), "use a JDK " + JAVA + ": set JAVA_HOME");
        }
        boolean allowed = ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .anyMatch(argument -> argument.startsWith("--enable-native-access"));
        return allowed
                ? Check.ok("Java", Runtime.version().toString())
                : Check.warn(
                        "Java",
                        Runtime.version() + " without --enable-native-access=ALL-UNNAMED",
                        "start through the leap-nbd launcher");
    }
}
