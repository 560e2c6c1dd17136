package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The page faults of some processes, by perf's software events: one {@link PerfRing} for each processor, into which all events of that
 * processor write.
 *
 * <p>Each ring belongs to an event that counts nothing, so that it stays and can be polled when what was watched has ended. A major fault
 * makes its ring's descriptor readable; other faults do so only when half the ring is full.
 */
public final class PageFaultEvents implements AutoCloseable {

    /** What is watched, in the order in which it is tried. */
    public enum Scope {
        /** Faults of programs and of the kernel on their behalf. */
        ALL_FAULTS("perf, faults of the program and of the kernel"),
        /** Faults in user mode only: what an ordinary user may see of their own processes. */
        USER_FAULTS("perf, faults in user mode only");

        private final String label;

        Scope(String label) {
            this.label = label;
        }

        /** In words. */
        public String label() {
            return label;
        }
    }

    private static final int TYPE_SOFTWARE = 1;
    private static final int SW_PAGE_FAULTS = 2;
    private static final int SW_PAGE_FAULTS_MAJ = 6;
    private static final int SW_DUMMY = 9;

    private static final long SAMPLE_TID = 1 << 1;
    private static final long SAMPLE_TIME = 1 << 2;
    private static final long SAMPLE_ADDR = 1 << 3;
    private static final long SAMPLE_CPU = 1 << 7;

    // struct perf_event_attr, size 128 (version 7).
    private static final int ATTR_SIZE = 128;
    private static final long TYPE = 0;
    private static final long SIZE = 4;
    private static final long CONFIG = 8;
    private static final long SAMPLE_PERIOD = 16;
    private static final long SAMPLE_TYPE = 24;
    private static final long FLAGS = 40;
    private static final long WAKEUP_EVENTS = 48;
    private static final long CLOCKID = 92;

    private static final long INHERIT = 1L << 1;
    private static final long EXCLUDE_KERNEL = 1L << 5;
    private static final long COMM = 1L << 9;
    private static final long TASK = 1L << 13;
    private static final long COMM_EXEC = 1L << 24;
    private static final long USE_CLOCKID = 1L << 25;

    /** By threads only. Linux 5.13. */
    private static final long INHERIT_THREAD = 1L << 35;

    private static final int CLOCK_MONOTONIC = 1;
    private static final int FLAG_PID_CGROUP = 4;
    private static final int FLAG_CLOEXEC = 8;
    private static final int IOC_SET_OUTPUT = 0x2405;

    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;
    private static final int PAGE = 4096;

    private static final int AT_FDCWD = -100;
    private static final int O_RDONLY_CLOEXEC = 0x80000;

    private final Arena arena = Arena.ofShared();
    private final SystemCalls calls = new SystemCalls(arena);
    private final MemorySegment attributes = arena.allocate(ATTR_SIZE, 8);
    private final List<Integer> descriptors = new ArrayList<>();
    private final int[] processors;
    private final int[] owners;
    private final PerfRing[] rings;
    private final long[] mappings;
    private final long mappingSize;
    private final Map<Integer, int[]> ofProcess = new HashMap<>();
    private Scope scope = Scope.ALL_FAULTS;

    /** Whether what is opened now is not inherited by processes. */
    private boolean alone;

    /**
     * Rings for all processors that are online, and nothing that is watched yet.
     *
     * @param pages of each ring, a power of two
     * @throws LinuxException if perf events are not allowed here
     */
    @SuppressWarnings("restricted") // memory that the kernel maps
    public PageFaultEvents(int pages) throws IOException {
        processors = online(
                KernelFile.read(Path.of("/sys/devices/system/cpu/online")).orElse("0"));
        owners = new int[processors.length];
        rings = new PerfRing[processors.length];
        mappings = new long[processors.length];
        mappingSize = (1L + pages) * PAGE;
        try {
            for (int i = 0; i < processors.length; i++) {
                owners[i] = open(SW_DUMMY, 0, 0, processors[i], 0);
                mappings[i] = calls.require(Call.MMAP, 0, mappingSize, PROT_READ_WRITE, MAP_SHARED, owners[i], 0);
                rings[i] = new PerfRing(MemorySegment.ofAddress(mappings[i]).reinterpret(mappingSize), PAGE);
            }
        } catch (LinuxException e) {
            close();
            throw e;
        }
    }

    /** Watches a process: its threads, and those and the processes that they will make. False if there is none any more. */
    public boolean watch(int pid) throws IOException {
        boolean any = false;
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/" + pid + "/task"))) {
            for (Path task : tasks) {
                any |= watch(Integer.parseInt(task.getFileName().toString()), 0);
            }
        } catch (java.nio.file.NoSuchFileException | java.nio.file.DirectoryIteratorException e) {
            return any;
        }
        return any;
    }

    /**
     * Watches a process and its threads, those to come included, but none of the processes that it will make, until it is {@linkplain
     * #unwatch left alone}. False if there is none any more.
     */
    public boolean watchAlone(int pid) throws IOException {
        int from = descriptors.size();
        alone = true;
        try {
            boolean any = watch(pid);
            List<Integer> its = descriptors.subList(from, descriptors.size());
            ofProcess.put(pid, its.stream().mapToInt(Integer::intValue).toArray());
            its.clear();
            return any;
        } finally {
            alone = false;
        }
    }

    /** Leaves a process alone that is {@linkplain #watchAlone watched alone}. */
    public void unwatch(int pid) {
        int[] its = ofProcess.remove(pid);
        if (its != null) {
            for (int fd : its) {
                calls.call(Call.CLOSE, fd);
            }
        }
    }

    /** Watches whatever runs in a group of the unified hierarchy. */
    public void watch(Cgroup group) throws IOException {
        int directory = (int) calls.require(
                Call.OPENAT,
                AT_FDCWD,
                arena.allocateFrom(group.directory().toString()).address(),
                O_RDONLY_CLOEXEC,
                0,
                0);
        descriptors.add(directory);
        watch(directory, FLAG_PID_CGROUP);
    }

    private boolean watch(int what, int flags) throws LinuxException {
        try {
            for (int i = 0; i < processors.length; i++) {
                output(open(SW_PAGE_FAULTS, what, flags, processors[i], 0), i);
                output(open(SW_PAGE_FAULTS_MAJ, what, flags, processors[i], 1), i);
            }
            return true;
        } catch (LinuxException e) {
            if (e.errno() == Errno.ESRCH) {
                return false;
            }
            if (e.errno() == Errno.EACCES && scope == Scope.ALL_FAULTS) {
                scope = Scope.USER_FAULTS;
                return watch(what, flags);
            }
            throw e;
        }
    }

    private int open(int config, int what, int flags, int processor, int wakeups) throws LinuxException {
        boolean major = config == SW_PAGE_FAULTS_MAJ;
        boolean faults = config == SW_PAGE_FAULTS;
        attributes.fill((byte) 0);
        attributes.set(JAVA_INT, TYPE, TYPE_SOFTWARE);
        attributes.set(JAVA_INT, SIZE, ATTR_SIZE);
        attributes.set(JAVA_LONG, CONFIG, config);
        attributes.set(JAVA_LONG, SAMPLE_PERIOD, 1);
        attributes.set(JAVA_LONG, SAMPLE_TYPE, SAMPLE_TID | SAMPLE_TIME | SAMPLE_ADDR | (major ? SAMPLE_CPU : 0));
        attributes.set(
                JAVA_LONG,
                FLAGS,
                USE_CLOCKID
                        | (config != SW_DUMMY && flags != FLAG_PID_CGROUP ? INHERIT : 0)
                        | (alone ? INHERIT_THREAD : 0)
                        | (faults ? TASK | COMM | COMM_EXEC : 0)
                        | (scope == Scope.USER_FAULTS || config == SW_DUMMY ? EXCLUDE_KERNEL : 0));
        attributes.set(JAVA_INT, WAKEUP_EVENTS, wakeups);
        attributes.set(JAVA_INT, CLOCKID, CLOCK_MONOTONIC);
        int fd = (int)
                calls.require(Call.PERF_EVENT_OPEN, attributes.address(), what, processor, -1, flags | FLAG_CLOEXEC);
        descriptors.add(fd);
        return fd;
    }

    private void output(int fd, int ring) throws LinuxException {
        calls.require(Call.IOCTL, fd, IOC_SET_OUTPUT, owners[ring]);
    }

    /** Which faults are seen. */
    public Scope scope() {
        return scope;
    }

    /** Rings, one a processor. */
    public int rings() {
        return rings.length;
    }

    /** A ring, by its place. */
    public PerfRing ring(int place) {
        return rings[place];
    }

    /** The descriptor that becomes readable when a ring has news. */
    public int descriptor(int place) {
        return owners[place];
    }

    /** Records lost in all rings. Any thread. */
    public long lost() {
        long lost = 0;
        for (PerfRing ring : rings) {
            lost += ring.lost();
        }
        return lost;
    }

    /** Whether a process of this user may watch page faults, and if not, why: what the kernel says. */
    public static Optional<String> refusal() {
        try (PageFaultEvents events = new PageFaultEvents(1)) {
            events.watch((int) ProcessHandle.current().pid());
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    /** Numbers of a list like {@code 0-3,8}. */
    static int[] online(String list) {
        List<Integer> numbers = new ArrayList<>();
        for (String part : list.split(",", -1)) {
            String[] range = part.strip().split("-", 2);
            int first = Integer.parseInt(range[0]);
            int last = range.length > 1 ? Integer.parseInt(range[1]) : first;
            for (int number = first; number <= last; number++) {
                numbers.add(number);
            }
        }
        return numbers.stream().mapToInt(Integer::intValue).toArray();
    }

    @Override
    public void close() {
        List.copyOf(ofProcess.keySet()).forEach(this::unwatch);
        for (int i = descriptors.size() - 1; i >= 0; i--) {
            calls.call(Call.CLOSE, descriptors.get(i));
        }
        descriptors.clear();
        for (int i = 0; i < mappings.length; i++) {
            if (mappings[i] != 0) {
                calls.call(Call.MUNMAP, mappings[i], mappingSize);
                mappings[i] = 0;
            }
        }
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
