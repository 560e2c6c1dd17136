package io.leapnbd.tools.http;

import io.leapnbd.tools.linux.KernelFile;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;

/**
 * What the kernel says of this process, under the names that Prometheus' own libraries use, and which build it is. Read from {@code /proc} at each
 * scrape; what cannot be read is left out.
 */
public final class ProcessMetrics {

    private static final Path SELF = Path.of("/proc/self");

    /** USER_HZ, which Linux fixes for what it tells programs; proc_pid_stat(5). */
    private static final double TICKS_PER_SECOND = 100;

    /** Places of utime and stime in {@code stat}, counted from behind the command's name. */
    private static final int UTIME = 11;

    private static final int STIME = 12;

    private ProcessMetrics() {}

    /**
     * Adds them.
     *
     * @param role {@code serve}, {@code donor} or {@code push}
     */
    public static void add(Metrics metrics, String role) {
        String version = ProcessMetrics.class.getPackage().getImplementationVersion();
        metrics.gauge("leap_build_info", "1, with the version that runs.", "version", "java", "role")
                .from(sink -> sink.accept(
                        1, version == null ? "(unpackaged)" : version, System.getProperty("java.version", ""), role));
        metrics.counter("process_cpu_seconds_total", "Time that processors spent on this process, in seconds.")
                .from(sink -> KernelFile.read(SELF.resolve("stat")).ifPresent(text -> sink.accept(cpuSeconds(text))));
        metrics.gauge("process_resident_memory_bytes", "Memory of this process that is in RAM.")
                .from(sink -> KernelFile.read(SELF.resolve("status"))
                        .ifPresent(text -> sink.accept(kibibytes(text, "VmRSS:") * 1024)));
        metrics.gauge("process_virtual_memory_bytes", "Addresses that this process has mapped.")
                .from(sink -> KernelFile.read(SELF.resolve("status"))
                        .ifPresent(text -> sink.accept(kibibytes(text, "VmSize:") * 1024)));
        metrics.gauge("process_open_fds", "File descriptors that are open.").from(sink -> {
            try (DirectoryStream<Path> open = Files.newDirectoryStream(SELF.resolve("fd"))) {
                long count = 0;
                for (Path _ : open) {
                    count++;
                }
                // The one that the folder is read with is closed by now.
                sink.accept(count - 1);
            } catch (IOException e) {
                return; // Not told.
            }
        });
        metrics.gauge("process_max_fds", "File descriptors that may be open.")
                .from(sink -> KernelFile.read(SELF.resolve("limits")).ifPresent(text -> sink.accept(limit(text))));
        double start = ProcessHandle.current()
                        .info()
                        .startInstant()
                        .orElseGet(Instant::now)
                        .toEpochMilli()
                / 1e3;
        metrics.gauge("process_start_time_seconds", "When this process began, in seconds since 1970.")
                .from(sink -> sink.accept(start));
    }

    /** Of {@code /proc/self/stat}: user and system time. The command's name is in brackets, and may have any character in it. */
    static double cpuSeconds(String stat) {
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        return (Long.parseLong(fields[UTIME]) + Long.parseLong(fields[STIME])) / TICKS_PER_SECOND;
    }

    /** A line's number of {@code /proc/self/status}; 0 if there is none. */
    static long kibibytes(String status, String name) {
        return status.lines()
                .filter(line -> line.startsWith(name))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElse(0);
    }

    /** The soft limit in {@code /proc/self/limits}; infinite if there is none. */
    static double limit(String limits) {
        String soft = limits.lines()
                .filter(line -> line.startsWith("Max open files"))
                .map(line -> line.replaceFirst("Max open files +", "").replaceFirst(" .*", ""))
                .findFirst()
                .orElse("unlimited");
        return soft.equals("unlimited") ? Double.POSITIVE_INFINITY : Long.parseLong(soft);
    }
}
