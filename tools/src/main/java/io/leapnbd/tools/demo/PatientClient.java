package io.leapnbd.tools.demo;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.client.RemoteErrorException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * A client that connects again when the server has gone, and repeats the request, as the kernel does for a swap device.
 * For one thread.
 */
final class PatientClient implements AutoCloseable {

    private static final Duration REPLY = Duration.ofSeconds(30);
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long RETRY_NANOS = Duration.ofMillis(20).toNanos();

    private final NbdUri uri;
    private NbdClient client;
    private long outages;
    private long outageNanos;

    PatientClient(String uri) throws IOException {
        this.uri = NbdUri.parse(uri);
        this.client = NbdClient.connect(this.uri, REPLY);
    }

    /** Times that the connection was lost and found again. */
    long outages() {
        return outages;
    }

    /** How long requests waited for the server to come back, in all. */
    long outageNanos() {
        return outageNanos;
    }

    /**
     * Fills {@code into} from {@code offset} on.
     *
     * @throws IOException if the server answers with an error, or does not come back in time
     */
    void read(long offset, ByteBuffer into) throws IOException {
        int start = into.position();
        while (true) {
            try {
                client.read(offset, into);
                into.position(start);
                return;
            } catch (RemoteErrorException e) {
                throw e;
            } catch (IOException e) {
                into.position(start);
                reconnect(e);
            }
        }
    }

    /** Writes what remains of {@code from} at {@code offset}. */
    void write(long offset, ByteBuffer from) throws IOException {
        int start = from.position();
        while (true) {
            try {
                client.write(offset, from);
                return;
            } catch (RemoteErrorException e) {
                throw e;
            } catch (IOException e) {
                from.position(start);
                reconnect(e);
            }
        }
    }

    private void reconnect(IOException why) throws IOException {
        long start = System.nanoTime();
        client.close();
        while (true) {
            try {
                client = NbdClient.connect(uri, REPLY);
                outages++;
                outageNanos += System.nanoTime() - start;
                return;
            } catch (IOException e) {
                if (System.nanoTime() - start > PATIENCE.toNanos()
                        || Thread.currentThread().isInterrupted()) {
                    e.addSuppressed(why);
                    throw e;
                }
                LockSupport.parkNanos(RETRY_NANOS);
            }
        }
    }

    @Override
    public void close() throws IOException {
        client.close();
    }
}
