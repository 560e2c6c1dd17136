package io.leapnbd.tools.push;

import io.leapnbd.tools.linux.KernelFile;
import io.leapnbd.tools.linux.MemoryGroup;
import io.leapnbd.tools.linux.PageFaultEvents;
import io.leapnbd.tools.linux.SwapArea;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Whatever has pages on a swap device: the processes with the most pages swapped out, as {@code /proc/PID/status} has it, so many at most. They
 * are looked for once a second, and only if anything was swapped in since. With several swap areas, pages on any of them count.
 */
final class Swapping implements Watched {

    /** Processes that are watched at a time: what {@link PushTargets} has room for. */
    static final int MOST = PushTargets.MOST;

    /** KiB that a process has swapped out at least; less is not worth its events. */
    private static final long LEAST_KIB = 1024;

    private static final int LOOKS_A_SECOND = 4;

    private final Path device;
    private final Path proc;
    private final Set<Integer> watched = new HashSet<>();
    private int looks;
    private long swappedIn = -1;

    Swapping(Path device) {
        this(device, Path.of("/proc"));
    }

    /** Another folder than {@code /proc} is for tests. */
    Swapping(Path device, Path proc) {
        this.device = device;
        this.proc = proc;
    }

    /** A process and what it has swapped out. */
    record Share(int pid, long kib) {}

    @Override
    public void begin(PageFaultEvents events) throws IOException {
        if (SwapArea.on(device).isEmpty()) {
            throw new IOException("nothing is swapped to " + device);
        }
        search(events);
    }

    @Override
    public void refresh(PageFaultEvents events) throws IOException {
        if (++looks % LOOKS_A_SECOND == 0 && somethingWasSwappedIn()) {
            search(events);
        }
    }

    private boolean somethingWasSwappedIn() {
        long now = field(KernelFile.read(proc.resolve("vmstat")).orElse(""), "pswpin ")
                .orElse(0L);
        boolean more = now != swappedIn;
        swappedIn = now;
        return more;
    }

    private void search(PageFaultEvents events) throws IOException {
        Set<Integer> wanted = new HashSet<>();
        for (Share process : largest()) {
            wanted.add(process.pid);
        }
        for (int pid : List.copyOf(watched)) {
            if (!wanted.contains(pid)) {
                events.unwatch(pid);
                watched.remove(pid);
            }
        }
        for (int pid : wanted) {
            if (!watched.contains(pid) && events.watchAlone(pid)) {
                watched.add(pid);
            }
        }
    }

    /** Those with the most swapped out, without this one. */
    List<Share> largest() throws IOException {
        List<Share> found = new ArrayList<>();
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(proc, "[1-9]*")) {
            for (Path folder : processes) {
                long kib = field(KernelFile.read(folder.resolve("status")).orElse(""), "VmSwap:")
                        .orElse(0L);
                int pid = Integer.parseInt(folder.getFileName().toString());
                if (kib >= LEAST_KIB && pid != ProcessHandle.current().pid()) {
                    found.add(new Share(pid, kib));
                }
            }
        } catch (java.nio.file.DirectoryIteratorException e) {
            throw e.getCause();
        }
        found.sort(Comparator.comparingLong(Share::kib).reversed());
        return found.subList(0, Math.min(MOST, found.size()));
    }

    private static Optional<Long> field(String text, String name) {
        return text.lines()
                .filter(line -> line.startsWith(name))
                .map(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst();
    }

    @Override
    public boolean hasEnded() {
        try {
            return SwapArea.on(device).isEmpty();
        } catch (IOException e) {
            return false; // it cannot be told, and the next look may tell
        }
    }

    @Override
    public Optional<MemoryGroup> memoryGroup() {
        return Optional.empty();
    }

    @Override
    public String description() {
        return "what has pages on " + device;
    }
}
