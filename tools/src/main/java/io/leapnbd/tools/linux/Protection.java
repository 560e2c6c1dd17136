package io.leapnbd.tools.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What keeps a process alive and moving on a machine that is short of memory, each measure on its own: obtained, or not
 * and why. Apply it early, before the threads are started that are to inherit it, and after the last fork.
 */
public final class Protection {
    /** What can be done for this process. A new measure is one more constant and one more case below. */
    public enum Measure {
        /** Nothing of it is paged out. */
        LOCKED("locked in memory"),
        /** The kernel's allocations for it never wait for pages to be written out. */
        IO_FLUSHER("IO flusher"),
        /** The OOM killer takes others. */
        OOM_SPARED("spared by the OOM killer"),
        /** It runs, and allocates in the kernel, ahead of the programs that fill the memory; see {@link #realtime}. */
        REALTIME("realtime scheduling"),
        /** It has a cgroup without swap whose memory is not reclaimed. */
        OWN_CGROUP("cgroup of its own");

        private final String label;

        Measure(String label) {
            this.label = label;
        }
    }

    /** What a process wants that the machine's own swap goes through: {@code serve} and {@code attach}. */
    public static final Set<Measure> SWAP_PATH = Set.of(Measure.values());

    /** What a process wants that lends its memory to other machines: {@code donor}. */
    public static final Set<Measure> LENDER = Set.of(Measure.LOCKED, Measure.OOM_SPARED, Measure.OWN_CGROUP);

    /**
     * One measure's outcome.
     *
     * @param name of the measure
     * @param ok whether the process has it now
     * @param detail what was found, for people
     * @param remedy what to do about it; empty when there is nothing to do
     */
    public record Finding(String name, boolean ok, String detail, String remedy) {
        /** One line. */
        @Override
        public String toString() {
            return name + ": " + detail + (remedy.isEmpty() ? "" : "; " + remedy);
        }
    }

    private static final int REALTIME_PRIORITY = 1;
    private static final String SPARED = "-1000";
    private static final Path OOM_SCORE = Path.of("/proc/self/oom_score_adj");

    private Protection() {}

    /**
     * Takes these measures for this process. What cannot be had is a finding, never an exception.
     *
     * @param name for the cgroup, {@code serve} for example
     */
    public static List<Finding> apply(Set<Measure> measures, String name) {
        List<Finding> findings = new ArrayList<>();
        for (Measure measure : Measure.values()) {
            if (measures.contains(measure)) {
                findings.add(apply(measure, name));
            }
        }
        return findings;
    }

    private static Finding apply(Measure measure, String name) {
        try {
            return switch (measure) {
                case LOCKED -> lock();
                case IO_FLUSHER -> ioFlusher();
                case OOM_SPARED -> spare();
                case REALTIME -> realtime();
                case OWN_CGROUP -> cgroup(name);
            };
        } catch (IOException e) {
            return not(measure, String.valueOf(e.getMessage()), remedy(measure));
        }
    }

    private static String remedy(Measure measure) {
        return switch (measure) {
            case LOCKED -> "run as root, or raise the limit: ulimit -l unlimited, LimitMEMLOCK=infinity under systemd";
            case IO_FLUSHER -> "start through the leap-nbd launcher as root (capability CAP_SYS_RESOURCE)";
            case OOM_SPARED -> "run as root (capability CAP_SYS_RESOURCE), or OOMScoreAdjust=-1000 under systemd";
            case REALTIME -> "run as root (capability CAP_SYS_NICE), or CPUSchedulingPolicy=rr under systemd";
            case OWN_CGROUP -> "run as root on a machine with cgroup v2";
        };
    }

    private static Finding ok(Measure measure, String detail) {
        return new Finding(measure.label, true, detail, "");
    }

    private static Finding not(Measure measure, String detail, String remedy) {
        return new Finding(measure.label, false, detail, remedy);
    }

    private static Finding lock() throws LinuxException {
        ResourceLimit limit = ResourceLimit.memlock();
        if (limit.soft() != ResourceLimit.UNLIMITED && !Capability.CAP_IPC_LOCK.held()) {
            if (limit.hard() != ResourceLimit.UNLIMITED) {
                // With a limit, locking what is mapped later makes some later allocation fail: worse than not locked.
                return not(
                        Measure.LOCKED,
                        "the limit of locked memory is " + (limit.soft() >> 10) + " KiB",
                        remedy(Measure.LOCKED));
            }
            ResourceLimit.memlock(new ResourceLimit(ResourceLimit.UNLIMITED, ResourceLimit.UNLIMITED));
        }
        MemoryLock.lockAll();
        return ok(Measure.LOCKED, "all of it, now and in future");
    }

    private static Finding ioFlusher() throws LinuxException {
        if (IoFlusher.isSet()) {
            return ok(Measure.IO_FLUSHER, "inherited by every thread");
        }
        IoFlusher.set(true);
        return not(
                Measure.IO_FLUSHER,
                "set for the threads that serve requests, not for the JVM's own",
                remedy(Measure.IO_FLUSHER));
    }

    private static Finding spare() throws IOException {
        KernelFile.write(OOM_SCORE, SPARED);
        boolean spared = KernelFile.read(OOM_SCORE).orElse("").equals(SPARED);
        return spared
                ? ok(Measure.OOM_SPARED, "oom_score_adj is " + SPARED)
                : not(Measure.OOM_SPARED, "oom_score_adj did not change", remedy(Measure.OOM_SPARED));
    }

    /**
     * For every thread that exists; those to come inherit it. A thread in the realtime class may take pages below the <i>min</i>
     * watermark that those who fill the memory, and those who reclaim it for themselves, cannot ({@link Scheduling}).
     *
     * <p>The JIT's threads are among them, although they work for long. HotSpot lets a caller of a method whose code is being replaced
     * look its code up again until the compiler's thread has replaced it ({@code SharedRuntime::handle_wrong_method}). A compiler in the
     * ordinary class, put aside by a loop at that moment, then never runs: the loops that call the method have all processors, for as
     * long as the kernel lets the realtime class have them (a second, with its defaults).
     */
    private static Finding realtime() throws IOException {
        try (var tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                int tid = Integer.parseInt(task.getFileName().toString());
                try {
                    if (!Scheduling.isRealtime(Scheduling.of(tid))) {
                        Scheduling.set(tid, Scheduling.RR, REALTIME_PRIORITY);
                    }
                } catch (LinuxException e) {
                    if (e.errno() != Errno.ESRCH) { // the thread has ended meanwhile
                        throw e;
                    }
                }
            }
        }
        return ok(Measure.REALTIME, "round robin, priority " + REALTIME_PRIORITY);
    }

    private static Finding cgroup(String name) throws IOException {
        long pid = ProcessHandle.current().pid();
        Cgroup group = Cgroup.of(pid)
                .filter(own -> isOfThisProcessAlone(own, pid)
                        && own.get("memory.swap.max").isPresent())
                .orElse(null);
        if (group == null) {
            Cgroup.sweep(name + "-");
            group = Cgroup.create(name + "-" + pid);
            group.add(pid);
        }
        // Everything in it is locked anyway; "max" keeps right when the process grows.
        group.set("memory.min", "max");
        if (group.get("memory.swap.max").isPresent()) { // absent in a kernel without swap accounting
            group.set("memory.swap.max", "0");
        }
        return ok(Measure.OWN_CGROUP, group.directory().toString());
    }

    /** Nobody is in it but this process and those that it started: a service's unit, for example. */
    private static boolean isOfThisProcessAlone(Cgroup group, long pid) {
        Set<Long> ours =
                ProcessHandle.current().descendants().map(ProcessHandle::pid).collect(Collectors.toSet());
        return group.processes().contains(pid)
                && group.processes().stream().allMatch(one -> one == pid || ours.contains(one));
    }
}
