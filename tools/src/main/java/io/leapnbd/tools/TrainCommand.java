package io.leapnbd.tools;

import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.donor.LendingDonor;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.http.EndpointClient;
import io.leapnbd.tools.linux.Hangup;
import io.leapnbd.tools.serve.DataPath;
import io.leapnbd.tools.serve.LeapServer;
import io.leapnbd.tools.serve.PrefetchSettings;
import io.leapnbd.tools.serve.ServerSettings;
import io.leapnbd.tools.serve.TakeoverChoice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/**
 * What the launcher's build runs once while the JVM takes notes for its AOT cache: everything that {@code serve},
 * {@code donor} and the small commands go through when they start, and enough requests for the paths that are hot.
 */
@Command(name = "train", hidden = true, description = "Used by the launcher's build.")
final class TrainCommand implements Callable<Integer> {

    private static final long SIZE = 16 << 20;
    private static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final long LOAD_NANOS = Duration.ofSeconds(3).toNanos();
    private static final int DEPTH = 16;
    private static final int PAGE_SIZE = 4096;

    TrainCommand() {}

    @Override
    public Integer call() throws IOException {
        Hangup.outlive();
        LeapNbd.commandLine().parseArgs("serve", "--size", "16M", "--listen", "127.0.0.1:0", "--io-timeout", "20s");
        LeapNbd.commandLine().parseArgs("donor", "--memory", "16M", "--listen", "127.0.0.1:0", "--lease", "10m");
        LeapNbd.commandLine().parseArgs("status", "--json");
        HostPort anywhere = new HostPort("127.0.0.1", 0);
        Path folder = Files.createTempDirectory("leap-nbd-train-");
        Path socket = folder.resolve("leap.sock");
        StoreSettings store = StoreSettings.ofMemory(SIZE, 1 << 20).withLock(false);
        try (LendingDonor donor = LendingDonor.open(store, anywhere, 1, EndpointAddress.exactly(anywhere), List.of());
                LeapServer server = LeapServer.open(new ServerSettings(
                        DonorAddress.parseList(donor.uris().getFirst()),
                        SIZE,
                        "leap",
                        List.of(anywhere),
                        List.of(socket),
                        EndpointAddress.exactly(anywhere),
                        TIMEOUT,
                        new LoopSettings(1, false, true, 0),
                        folder,
                        TakeoverChoice.DEFAULT,
                        null,
                        Duration.ofSeconds(1),
                        PrefetchSettings.DEFAULT,
                        null,
                        DataPath.BYPASS,
                        List.of()))) {
            load(NbdUri.unix(socket.toString(), "leap"));
            for (String uri : List.of(donor.uris().getLast(), server.uris().getLast())) {
                EndpointClient client = new EndpointClient(HostPort.parseListen(uri.substring("http://".length())));
                client.get("/status?format=text");
                client.get("/metrics");
            }
        }
        try (DirectoryStream<Path> left = Files.newDirectoryStream(folder)) {
            for (Path file : left) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
        return 0;
    }

    private static void load(NbdUri uri) throws IOException {
        Random random = new Random(1);
        ByteBuffer[] pages = new ByteBuffer[DEPTH];
        for (int i = 0; i < DEPTH; i++) {
            pages[i] = ByteBuffer.allocateDirect(PAGE_SIZE);
        }
        try (NbdClient client = NbdClient.connect(uri, TIMEOUT)) {
            long end = System.nanoTime() + LOAD_NANOS;
            while (System.nanoTime() - end < 0) {
                for (ByteBuffer page : pages) {
                    page.clear();
                    long offset = (long) random.nextInt((int) (SIZE / PAGE_SIZE)) * PAGE_SIZE;
                    if (random.nextInt(3) == 0) {
                        client.submitWrite(offset, page, false);
                    } else {
                        client.submitRead(offset, page);
                    }
                }
                while (client.inFlight() > 0) {
                    client.await();
                }
            }
            client.trim(0, SIZE / 2);
            client.flush();
            client.disconnect();
        }
    }
}
