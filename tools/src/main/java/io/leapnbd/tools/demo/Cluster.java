package io.leapnbd.tools.demo;

import io.leapnbd.tools.cli.Closings;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.http.EndpointClient;
import io.leapnbd.tools.pool.PoolCommand;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import picocli.CommandLine;

/**
 * Three donors, and a server that keeps two copies of each page, on this machine, in a folder of their own; nothing of them stays after
 * {@link #close}. Any thread may ask for the status; the rest is for one thread.
 */
final class Cluster implements AutoCloseable {

    /** Bytes of a slab. */
    static final long SLAB_BYTES = 4L << 20;

    private static final int DONORS = 3;
    private static final Pattern SLABS_HELD = Pattern.compile("\"slabs_held\": (\\d+)");

    private final Closings closings = new Closings();
    private final Path folder;
    private final long size;
    private final List<Child> donors = new ArrayList<>();
    private final List<String> addresses = new ArrayList<>();
    private Child server;
    private String uri = "";
    private volatile EndpointClient endpoint = new EndpointClient(new HostPort("127.0.0.1", 0));

    /**
     * Starts everything.
     *
     * @param size of the device, in bytes
     * @param ended told first what to close, so that an interruption in the middle of starting leaves nothing behind
     */
    Cluster(long size, Closings ended) throws IOException {
        this.size = size;
        folder = Files.createTempDirectory("leap-nbd-demo-");
        ended.add("demo's processes", closings);
        closings.add("folder", () -> deleteAll(folder));
        makePool();
        for (int i = 1; i <= DONORS; i++) {
            Child donor = Child.start(
                    "donor-" + i,
                    folder,
                    "donor",
                    "--memory",
                    // Room for the device, even if every slab happens to go to one donor.
                    Long.toString(Math.ceilDiv(size, 1L << 20) << 20),
                    "--slab-size",
                    Long.toString(SLAB_BYTES),
                    "--listen",
                    "127.0.0.1:0",
                    "--pool",
                    machine().toString(),
                    "--http",
                    "none",
                    // Nobody wants the pages after the demo.
                    "--drain-timeout",
                    "0s",
                    "--unprotected");
            closings.add("donor", donor);
            donors.add(donor);
        }
        donors.forEach(donor -> addresses.add(donor.awaitReady().getFirst()));
        server = startServer();
        awaitServer();
    }

    /** All of them are this machine's, so one folder of certificates will do. */
    private Path machine() {
        return pool().resolve("demo");
    }

    private Path pool() {
        return folder.resolve("pool");
    }

    /** As an operator does it. */
    private void makePool() throws IOException {
        pool("create", pool().toString());
        pool("add", pool().toString(), "demo", "127.0.0.1");
    }

    private static void pool(String... words) throws IOException {
        StringWriter errors = new StringWriter();
        int code = new CommandLine(new PoolCommand())
                .setOut(new PrintWriter(Writer.nullWriter()))
                .setErr(new PrintWriter(errors))
                .execute(words);
        if (code != ExitCode.OK) {
            throw new IOException("the demo's pool of certificates cannot be made: " + errors);
        }
    }

    private void awaitServer() {
        List<String> listening = server.awaitReady();
        uri = listening.getFirst();
        endpoint = new EndpointClient(HostPort.parseListen(listening.getLast().substring("http://".length())));
    }

    /** As the server is told of the donors: each on a machine of its own, though they are on this one. */
    private String zoned() {
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < addresses.size(); i++) {
            all.append(i == 0 ? "" : ",")
                    .append(addresses.get(i))
                    .append("?zone=")
                    .append(i + 1);
        }
        return all.toString();
    }

    private Child startServer() throws IOException {
        Child started = Child.start(
                "server",
                folder,
                "serve",
                "--donors",
                zoned(),
                "--replicas",
                "2",
                "--encrypt",
                "on",
                "--pool",
                machine().toString(),
                // A donor that is silent for ten times as long is given up, written to or not.
                "--member-timeout",
                "300ms",
                "--size",
                Long.toString(size),
                "--unix",
                folder.resolve("leap.sock").toString(),
                "--state-dir",
                folder.toString(),
                "--http",
                "127.0.0.1:0",
                "--unprotected");
        closings.add("server", started);
        return started;
    }

    /** Where the donors listen. */
    List<String> donors() {
        return addresses;
    }

    /** Slabs that each donor holds. */
    List<Long> slabsHeld() {
        return SLABS_HELD
                .matcher(status())
                .results()
                .map(found -> Long.parseLong(found.group(1)))
                .toList();
    }

    /** Kills a donor with signal 9. It does not come back. */
    void killDonor(int number) {
        donors.get(number).kill();
    }

    /**
     * What the server says of itself, as JSON.
     *
     * @throws CommandFailure if it does not answer
     */
    String status() {
        return endpoint.get("/status");
    }

    /** Where the server listens, now and after a restart. */
    String uri() {
        return uri;
    }

    /** Kills the server with signal 9. */
    void killServer() {
        server.kill();
    }

    /** Starts another in its place; when this returns it accepts clients. */
    void restartServer() throws IOException {
        server = startServer();
        awaitServer();
    }

    @Override
    public void close() {
        closings.close();
    }

    private static void deleteAll(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }
}
