package io.leapnbd.tools.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/** A program for tests: takes the realtime class, and prints which of its threads it has left out; the first line is what it found. */
final class RealtimeProbe {

    private RealtimeProbe() {}

    public static void main(String[] args) throws IOException {
        System.out.println(Protection.apply(Set.of(Protection.Measure.REALTIME), "probe"));
        try (var tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                if (!Scheduling.isRealtime(
                        Scheduling.of(Integer.parseInt(task.getFileName().toString())))) {
                    System.out.println(KernelFile.read(task.resolve("comm")).orElse("one that has ended"));
                }
            }
        }
    }
}
