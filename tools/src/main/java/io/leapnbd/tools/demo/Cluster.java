package io.leapnbd.tools.demo;

import io.leapnbd.tools.cli.Closings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Two donors and a server on this machine, in a folder of their own; nothing of them stays after {@link #close}. */
final class Cluster implements AutoCloseable {

    private static final int DONORS = 2;

    private final Closings closings = new Closings();
    private final Path folder;
    private final long size;
    private final List<String> donors = new ArrayList<>();
    private Child server;
    private final String uri;

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
        List<Child> starting = new ArrayList<>();
        for (int i = 1; i <= DONORS; i++) {
            Child donor = Child.start(
                    "donor-" + i,
                    folder,
                    "donor",
                    "--memory",
                    // Room for the device, even if every slab happens to go to one donor.
                    Long.toString(Math.ceilDiv(size, 1L << 20) << 20),
                    "--slab-size",
                    "4M",
                    "--listen",
                    "127.0.0.1:0",
                    "--http",
                    "none",
                    // Nobody wants the pages after the demo.
                    "--drain-timeout",
                    "0s",
                    "--unprotected");
            closings.add("donor", donor);
            starting.add(donor);
        }
        starting.forEach(donor -> donors.add(donor.awaitReady()));
        server = startServer();
        uri = server.awaitReady();
    }

    private Child startServer() throws IOException {
        Child started = Child.start(
                "server",
                folder,
                "serve",
                "--donors",
                String.join(",", donors),
                "--size",
                Long.toString(size),
                "--unix",
                folder.resolve("leap.sock").toString(),
                "--state-dir",
                folder.toString(),
                "--http",
                "none",
                "--unprotected");
        closings.add("server", started);
        return started;
    }

    /** Where the donors listen. */
    List<String> donors() {
        return donors;
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
        server.awaitReady();
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
