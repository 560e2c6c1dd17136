package io.leapnbd.tools.record;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.prefetch.replay.TraceReader;
import io.leapnbd.tools.linux.Rotation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordingTest {

    @TempDir
    private Path folder;

    @Test
    void aRecordingThatSomebodyMovesIsOpenedAnew() throws IOException {
        Path path = folder.resolve("trace");
        Recording recording = Recording.open(path, List.of("first"), 1 << 20);
        Files.move(path, folder.resolve("moved"));
        recording.reopen();
        await(path);
        recording.close();
        assertThat(Files.readString(path)).startsWith(TraceFile.TITLE).contains("# first", "# started ");
        assertThat(TraceReader.read(folder.resolve("moved")).cutOff()).isNull();
    }

    @Test
    void aRecordingOfItsFullSizeIsMovedAside() throws IOException {
        Path path = folder.resolve("trace");
        Recording recording = Recording.open(path, List.of("x".repeat(100)), 100);
        await(folder.resolve("trace.1"));
        recording.close();
        assertThat(path).content().startsWith(TraceFile.TITLE);
    }

    @Test
    void whatNeverBeganLeavesNoTrace() throws IOException { // E11
        Path path = folder.resolve("trace");
        Recording.open(path, List.of(), 1 << 20).discard();
        assertThat(path).doesNotExist();
        Recording.open(path, List.of(), 1 << 20).close();
        byte[] before = Files.readAllBytes(path);
        Recording.open(path, List.of(), 1 << 20).discard();
        assertThat(Files.readAllBytes(path)).isEqualTo(before);
    }

    @Test
    void nineOlderFilesAreKept() throws IOException {
        Path path = folder.resolve("log");
        for (int i = 0; i < 12; i++) {
            Files.writeString(path, Integer.toString(i));
            Rotation.shift(path);
        }
        assertThat(folder.resolve("log.1")).hasContent("11");
        assertThat(folder.resolve("log.9")).hasContent("3");
        assertThat(folder.resolve("log.10")).doesNotExist();
        assertThat(path).doesNotExist();
    }

    private static void await(Path path) {
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (!Files.exists(path)) {
            assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
            LockSupport.parkNanos(10_000_000);
        }
    }
}
