package io.leapnbd.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.server.NbdServer;
import io.leapnbd.tools.cli.ExitCode;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The programs in {@code docs/embedding.md} are what it says they are. */
class EmbeddingDocumentTest {

    private static final Pattern PROGRAM = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
    private static final Pattern NAME = Pattern.compile("public final class (\\w+)");

    @TempDir
    private Path folder = Path.of("");

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... words) {
        return LeapNbd.commandLine()
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(words);
    }

    /** Compiles the program of a name to a folder. */
    private Path compiled(String name) throws IOException {
        Matcher programs = PROGRAM.matcher(Files.readString(Path.of("../docs/embedding.md")));
        while (programs.find()) {
            String program = programs.group(1);
            Matcher its = NAME.matcher(program);
            if (its.find() && its.group(1).equals(name)) {
                return compile(name, program);
            }
        }
        throw new AssertionError("docs/embedding.md has no " + name);
    }

    private Path compile(String name, String program) throws IOException {
        Path source = Files.writeString(folder.resolve(name + ".java"), program);
        Path classes = Files.createDirectories(folder.resolve("classes-" + name));
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        int result = compiler.run(
                null,
                null,
                null,
                "-proc:none",
                "-cp",
                System.getProperty("java.class.path"),
                "-d",
                classes.toString(),
                source.toString());
        assertThat(result).isZero();
        return classes;
    }

    private Path jar(String file, Path classes, List<String> providers) throws IOException {
        Path jar = folder.resolve(file);
        try (OutputStream to = Files.newOutputStream(jar);
                JarOutputStream entries = new JarOutputStream(to);
                Stream<Path> files = Files.list(classes)) {
            for (Path each : files.toList()) {
                entries.putNextEntry(new JarEntry(String.valueOf(each.getFileName())));
                entries.write(Files.readAllBytes(each));
            }
            if (!providers.isEmpty()) {
                entries.putNextEntry(new JarEntry("META-INF/services/io.leapnbd.prefetch.PrefetcherProvider"));
                entries.write(String.join("\n", providers).getBytes(StandardCharsets.UTF_8));
            }
        }
        return jar;
    }

    private String strides() {
        String file = folder.resolve("strides").toString();
        assertThat(run("trace", "generate", "stride:10", "--pages", "40000", "--requests", "3000", "-o", file))
                .isEqualTo(ExitCode.OK);
        return file;
    }

    @Test
    void thePolicyIsFoundInAJarAndComparedWithTheOthers() throws IOException {
        Path jar = jar("two-steps.jar", compiled("TwoSteps"), List.of("TwoSteps"));
        String trace = strides();

        assertThat(run("replay", trace, "--prefetch", "none," + jar + "#two-steps"))
                .as(err.toString())
                .isEqualTo(ExitCode.OK);

        assertThat(out.toString().lines().filter(line -> line.startsWith("two-steps ")))
                .singleElement()
                .asString()
                .contains("99.");
        out.getBuffer().setLength(0);
        assertThat(run("replay", trace, "--prefetch", jar.toString(), "--csv")).isEqualTo(ExitCode.OK);
        assertThat(out.toString().lines().skip(1)).singleElement().asString().startsWith("strides,two-steps,");
    }

    @Test
    void aJarThatIsOfNoUseIsRefusedInOneSentence() throws IOException {
        Path classes = compiled("TwoSteps");
        String trace = strides();
        Path missing = folder.resolve("missing.jar");
        Path text = Files.writeString(folder.resolve("text.jar"), "no jar");
        Path silent = jar("silent.jar", classes, List.of());
        Path absent = jar("absent.jar", classes, List.of("Nobody"));
        Path right = jar("right.jar", classes, List.of("TwoSteps"));

        refused(trace, missing.toString(), "there is no file " + missing);
        refused(trace, text.toString(), text + " is no jar");
        refused(trace, silent.toString(), silent + " has no policy: its META-INF/services names no ");
        refused(trace, absent.toString(), absent + " cannot be used: ");
        refused(trace, right + "#other", right + " has no policy \"other\"; it has two-steps");
    }

    private void refused(String trace, String choice, String why) {
        err.getBuffer().setLength(0);
        assertThat(run("replay", trace, "--prefetch", choice)).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains(why).hasLineCount(1);
    }

    @Test
    void aPolicyThatFailsEndsTheReplayWithItsName() throws IOException {
        Path classes = compile("Wild", """
                import io.leapnbd.prefetch.Prefetcher;
                import io.leapnbd.prefetch.PrefetcherProvider;

                public final class Wild implements PrefetcherProvider {
                    public String name() {
                        return "wild";
                    }

                    public Prefetcher prefetcher(long pages) {
                        return (page, hit, connection, nanos, candidates) -> candidates.length + 1;
                    }
                }
                """);
        Path jar = jar("wild.jar", classes, List.of("Wild"));

        assertThat(run("replay", strides(), "--prefetch", jar.toString())).isEqualTo(ExitCode.FAILED);
        assertThat(err.toString())
                .startsWith("leap-nbd replay: the policy wild failed at strides: ")
                .hasLineCount(1);
    }

    @Test
    void theDeviceIsServed() throws Exception {
        Path socket = folder.resolve("socket");
        EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        try (URLClassLoader loader = new URLClassLoader(
                        new URL[] {compiled("Offsets").toUri().toURL()});
                NbdServer _ = (NbdServer) loader.loadClass("Offsets")
                        .getMethod("serve", Path.class, EventLoopGroup.class)
                        .invoke(null, socket, loops);
                NbdClient client = NbdClient.connect(
                        NbdUri.parse("nbd+unix:///offsets?socket=" + socket), Duration.ofSeconds(60))) {
            ByteBuffer read = ByteBuffer.allocateDirect(4096);
            client.read((1 << 20) - 8, read);

            assertThat(read.getLong(0)).isEqualTo((1 << 20) - 8);
            assertThat(read.getLong(4088)).isEqualTo((1 << 20) + 4080);
        } finally {
            loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        }
    }
}
