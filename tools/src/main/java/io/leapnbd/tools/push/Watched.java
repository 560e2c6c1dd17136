package io.leapnbd.tools.push;

import io.leapnbd.tools.linux.Cgroup;
import io.leapnbd.tools.linux.KernelFile;
import io.leapnbd.tools.linux.MemoryGroup;
import io.leapnbd.tools.linux.PageFaultEvents;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/** What an agent pushes for: a process and what it starts, or what runs in a cgroup. */
sealed interface Watched permits Watched.Program, Watched.Group, Watched.OldGroup, Swapping {

    /** Begins to watch; called once. */
    void begin(PageFaultEvents events) throws IOException;

    /** Watches what has come since. Some times a second. */
    void refresh(PageFaultEvents events) throws IOException;

    /** Whether there is nothing any more that could be pushed for. */
    boolean hasEnded();

    /** The memory cgroup that the pushed pages are charged to; nothing if that is not known. */
    Optional<MemoryGroup> memoryGroup();

    /** For people. */
    String description();

    static Watched process(int pid) {
        return new Program(pid);
    }

    static Watched device(Path device) {
        return new Swapping(device);
    }

    static Watched group(MemoryGroup group) {
        return group.unified() ? new Group(group) : new OldGroup(group, new HashSet<>());
    }

    /** A process, with its descendants, and the threads and processes that they start; these inherit the events. */
    record Program(int pid) implements Watched {
        @Override
        public void begin(PageFaultEvents events) throws IOException {
            if (!events.watch(pid)) {
                throw new IOException("there is no process " + pid);
            }
            for (ProcessHandle descendant : ProcessHandle.of(pid).stream()
                    .flatMap(ProcessHandle::descendants)
                    .toList()) {
                events.watch((int) descendant.pid());
            }
        }

        @Override
        public void refresh(PageFaultEvents events) {}

        @Override
        public boolean hasEnded() {
            return !Files.exists(Path.of("/proc/" + pid + "/fd")) || isZombie();
        }

        private boolean isZombie() {
            return KernelFile.read(Path.of("/proc/" + pid + "/stat"))
                    .map(stat -> stat.substring(stat.lastIndexOf(')') + 1).strip())
                    .map(rest -> rest.startsWith("Z") || rest.startsWith("X"))
                    .orElse(true);
        }

        @Override
        public Optional<MemoryGroup> memoryGroup() {
            return MemoryGroup.of(pid);
        }

        @Override
        public String description() {
            return "process " + pid;
        }
    }

    /** A group of the unified hierarchy: perf knows these itself. */
    record Group(MemoryGroup group) implements Watched {
        @Override
        public void begin(PageFaultEvents events) throws IOException {
            events.watch(new Cgroup(group.directory()));
        }

        @Override
        public void refresh(PageFaultEvents events) {}

        @Override
        public boolean hasEnded() {
            return !Files.isDirectory(group.directory());
        }

        @Override
        public Optional<MemoryGroup> memoryGroup() {
            return Optional.of(group);
        }

        @Override
        public String description() {
            return "cgroup " + group.directory();
        }
    }

    /** A group of version 1: its processes one by one, and what is moved into it a moment later. */
    record OldGroup(MemoryGroup group, Set<Integer> known) implements Watched {
        @Override
        public void begin(PageFaultEvents events) throws IOException {
            refresh(events);
        }

        @Override
        public void refresh(PageFaultEvents events) throws IOException {
            Set<Integer> now = new HashSet<>(group.processes());
            known.retainAll(now);
            for (int pid : now) {
                // Those whose parent is known inherited its events when they were made.
                if (known.add(pid) && !known.contains(parent(pid))) {
                    events.watch(pid);
                }
            }
        }

        private static int parent(int pid) {
            return KernelFile.read(Path.of("/proc/" + pid + "/stat"))
                    .map(stat ->
                            stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", 3))
                    .filter(fields -> fields.length > 1)
                    .map(fields -> Integer.parseInt(fields[1]))
                    .orElse(0);
        }

        @Override
        public boolean hasEnded() {
            return !Files.isDirectory(group.directory());
        }

        @Override
        public Optional<MemoryGroup> memoryGroup() {
            return Optional.of(group);
        }

        @Override
        public String description() {
            return "cgroup " + group.directory();
        }
    }
}
