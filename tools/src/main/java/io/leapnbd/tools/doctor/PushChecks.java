package io.leapnbd.tools.doctor;

import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.KernelFile;
import io.leapnbd.tools.linux.MemoryGroup;
import io.leapnbd.tools.linux.PageFaultEvents;
import io.leapnbd.tools.linux.ProcessMemory;
import io.leapnbd.tools.linux.SwapArea;
import io.leapnbd.tools.push.SwapServerSearch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What {@code leap-nbd push} needs; each thing is tried on this very process. */
final class PushChecks {
    private static final long PAGE = 4096;
    private static final Path PAGE_CLUSTER = Path.of("/proc/sys/vm/page-cluster");

    private PushChecks() {}

    static List<Check> all() {
        List<Check> checks = new ArrayList<>();
        checks.add(advice(tryAdvice()));
        checks.add(faults(
                PageFaultEvents.refusal(),
                KernelFile.read(Path.of("/proc/sys/kernel/perf_event_paranoid")).orElse("not there")));
        checks.add(pages());
        checks.add(swap());
        checks.add(server());
        checks.add(pageCluster(Files.isWritable(PAGE_CLUSTER)));
        checks.add(group());
        return checks;
    }

    /** The kernel's answer to advice on a page of this process: 0 or more, or a negated error number. */
    private static int tryAdvice() {
        try (ProcessMemory memory = new ProcessMemory(1);
                java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined()) {
            int opened = memory.open((int) ProcessHandle.current().pid());
            long page = arena.allocate(2 * PAGE, PAGE).fill((byte) 1).address() / PAGE;
            return opened < 0 ? opened : memory.willNeed(new long[] {page}, 1);
        }
    }

    static Check advice(int answer) {
        String name = "process_madvise";
        if (answer >= 0) {
            return Check.ok(name, "the kernel takes advice on another process's memory");
        }
        return answer == -Errno.EPERM
                ? Check.fail(
                        name,
                        Errno.describe(-answer),
                        "run as root, or AmbientCapabilities=CAP_SYS_NICE CAP_SYS_PTRACE under systemd")
                : Check.fail(name, Errno.describe(-answer), "use Linux 5.15 or newer, with CONFIG_ADVISE_SYSCALLS");
    }

    static Check faults(Optional<String> refusal, String paranoid) {
        String name = "page fault events";
        return refusal.map(why -> Check.fail(
                        name,
                        why + "; kernel.perf_event_paranoid is " + paranoid,
                        "run as root, or AmbientCapabilities=CAP_PERFMON; the kernel needs CONFIG_PERF_EVENTS"))
                .orElseGet(() -> Check.ok(name, "perf counts them, with their addresses"));
    }

    private static Check pages() {
        try (ProcessMemory memory = new ProcessMemory(1)) {
            return memory.open((int) ProcessHandle.current().pid()) == 0 && memory.seesPages()
                    ? Check.ok("pagemap", "shows which pages are swapped out")
                    : Check.warn(
                            "pagemap",
                            "cannot be read: every page is asked for as if it were swapped out",
                            "use a kernel with CONFIG_PROC_PAGE_MONITOR");
        }
    }

    private static Check swap() {
        try {
            return SwapArea.inUse().isEmpty()
                    ? Check.warn("swap", "none in use: there is nothing to push", "leap-nbd attach, or swapon")
                    : Check.ok("swap", SwapArea.inUse().size() + " in use");
        } catch (IOException e) {
            return Check.fail("swap", "this kernel cannot swap", "use one with CONFIG_SWAP");
        }
    }

    private static Check server() {
        String name = "server of the swap device";
        try {
            return Check.ok(name, SwapServerSearch.found() + " is told what is pushed");
        } catch (IOException e) {
            return Check.warn(
                    name,
                    "nobody is told what is pushed: " + e.getMessage(),
                    "push works without; to have pages fetched together, let 'leap-nbd serve' run on this machine");
        }
    }

    static Check pageCluster(boolean writable) {
        String name = "vm.page-cluster";
        return writable
                ? Check.ok(name, "can be set to 0 while pages are pushed")
                : Check.warn(
                        name,
                        "cannot be set: neighbours on the device take the room of pushed pages",
                        "run as root, or: sysctl -w vm.page-cluster=0");
    }

    private static Check group() {
        return MemoryGroup.of(ProcessHandle.current().pid()).isPresent()
                ? Check.ok("memory cgroup", "bounds what is pushed and not used yet")
                : Check.ok("memory cgroup", "none: the machine's memory bounds what is pushed and not used yet");
    }
}
