package io.leapnbd.tools;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.http.EndpointClient;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/**
 * The client of the server and the donor that the launcher's build runs once, while their JVMs take notes for their AOT caches:
 * enough requests for the paths that are hot, and a look at every page.
 */
@Command(name = "train", hidden = true, description = "Used by the launcher's build.")
final class TrainCommand implements Callable<Integer> {

    private static final long SIZE = 16 << 20;
    private static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final long LOAD_NANOS = Duration.ofSeconds(3).toNanos();
    private static final int DEPTH = 16;
    private static final int PAGE_SIZE = 4096;

    @Parameters(paramLabel = "URI", description = "What the server and the donor listen at.")
    private List<String> uris = List.of();

    TrainCommand() {}

    @Override
    public Integer call() throws IOException {
        for (String uri : uris) {
            if (uri.startsWith("nbd+unix:")) {
                load(NbdUri.parse(uri));
            }
        }
        for (String uri : uris) {
            if (uri.startsWith("http:")) {
                EndpointClient client = new EndpointClient(HostPort.parseListen(uri.substring("http://".length())));
                client.get("/status?format=text");
                client.get("/metrics");
            }
        }
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
