package io.leapnbd.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DemoTest {

    @ParameterizedTest
    @EnumSource(AccessPattern.class)
    void everyPatternTouchesEveryPageOnce(AccessPattern pattern) {
        int[] order = pattern.order(1003, 42);
        assertThat(Arrays.stream(order).sorted().toArray())
                .isEqualTo(IntStream.range(0, 1003).toArray());
    }

    @Test
    void patternsAreWhatTheyAreCalled() {
        assertThat(AccessPattern.SEQUENTIAL.order(4, 1)).containsExactly(0, 1, 2, 3);
        assertThat(AccessPattern.STRIDE.order(25, 1)).startsWith(0, 10, 20, 1, 11, 21, 2);
        assertThat(AccessPattern.RANDOM.order(100, 1))
                .isNotEqualTo(AccessPattern.RANDOM.order(100, 2))
                .isEqualTo(AccessPattern.RANDOM.order(100, 1));
    }

    @Test
    void aPageOnlyPassesAsItself() {
        PageContent content = new PageContent(5);
        ByteBuffer page = ByteBuffer.allocate(PageContent.PAGE_SIZE);
        content.put(17, page);
        assertThat(content.matches(17, page.flip())).isTrue();
        assertThat(content.matches(18, page.rewind())).isFalse();
        assertThat(new PageContent(6).matches(17, page.rewind())).isFalse();
        page.put(4095, (byte) (page.get(4095) ^ 1));
        assertThat(content.matches(17, page.rewind())).isFalse();
    }

    /** The whole of it, in processes of its own, small. */
    @Test
    void theDemoEndsWellAndLeavesNothingBehind(@TempDir Path folder) throws Exception {
        Path output = folder.resolve("output");
        Process demo = demo(folder, output);
        try {
            assertThat(demo.waitFor(120, TimeUnit.SECONDS)).isTrue();
        } finally {
            demo.destroyForcibly();
        }
        assertThat(output)
                .content()
                .contains(
                        "Every one of 3,072 pages read was right",
                        "the server was killed (-9)",
                        "was killed (-9) and did not come back",
                        "The killed donor held 4 MiB.",
                        "Try next:")
                .containsPattern("random +1,024 ");
        assertThat(demo.exitValue()).isZero();
        assertThat(leftovers(folder)).isEmpty();
    }

    @Test
    void anInterruptedDemoLeavesNothingBehind(@TempDir Path folder) throws Exception {
        Path output = folder.resolve("output");
        Process demo = demo(folder, output);
        List<ProcessHandle> children = List.of();
        try {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            while (!Files.readString(output).contains("device") && System.nanoTime() < deadline) {
                LockSupport.parkNanos(50_000_000);
            }
            children = demo.descendants().toList();
            assertThat(children).hasSizeGreaterThanOrEqualTo(4);
            assertSecured(children);
            demo.destroy();
            assertThat(demo.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            demo.destroyForcibly();
        }
        assertThat(children).noneMatch(ProcessHandle::isAlive);
        assertThat(leftovers(folder)).isEmpty();
    }

    /** Nobody asks for it: donors and server show each other certificates, and pages are encrypted. */
    private static void assertSecured(List<ProcessHandle> children) throws IOException {
        int donors = 0;
        int servers = 0;
        for (ProcessHandle child : children) {
            String words = Files.readString(Path.of("/proc/" + child.pid() + "/cmdline"), StandardCharsets.ISO_8859_1)
                    .replace('\0', ' ');
            boolean server = words.contains(" serve --");
            if (server || words.contains(" donor --")) {
                servers += server ? 1 : 0;
                donors += server ? 0 : 1;
                assertThat(words).contains(" --pool ").doesNotContain("--insecure");
                if (server) {
                    assertThat(words).contains(" --encrypt on ");
                }
            }
        }
        assertThat(servers).isEqualTo(1);
        assertThat(donors).isEqualTo(3);
    }

    private static Process demo(Path folder, Path output) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Djava.io.tmpdir=" + folder,
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.leapnbd.tools.LeapNbd",
                        "demo",
                        "--size",
                        "4M")
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
    }

    private static List<String> leftovers(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(path -> path.getFileName().toString())
                    .filter(name -> name.startsWith("leap-nbd-demo"))
                    .toList();
        }
    }
}
