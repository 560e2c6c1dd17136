package io.leapnbd.bypass;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A TCP relay in front of a donor that does what networks do: holds bytes back, cuts connections. Bytes that were held when a
 * connection was cut on the server's side still reach the donor when they are let go, as they would from a socket buffer of a
 * donor that was stopped.
 */
final class FaultProxy implements AutoCloseable {

    private final ServerSocket listener;
    private final List<Relay> relays = new CopyOnWriteArrayList<>();
    private volatile InetSocketAddress upstream;

    /** Bytes of this value are changed on their way, and how: to the donor, or from it. */
    private volatile byte changed;

    private volatile boolean changesToDonor;
    private volatile boolean changesFromDonor;

    FaultProxy(InetSocketAddress upstream) throws IOException {
        this.upstream = upstream;
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    /**
     * Changes data on its way.
     *
     * @param value in eight bytes, one after the other: the first of them is another one afterwards
     */
    void change(byte value, boolean toDonor, boolean fromDonor) {
        changed = value;
        changesToDonor = toDonor;
        changesFromDonor = fromDonor;
    }

    private void change(byte[] bytes, int count, boolean toDonor) {
        if (toDonor ? !changesToDonor : !changesFromDonor) {
            return;
        }
        int run = 0;
        for (int i = 0; i < count; i++) {
            run = bytes[i] == changed ? run + 1 : 0;
            if (run == 8) {
                bytes[i - 7] ^= 1;
                run = 0;
            }
        }
    }

    /** Where later connections go. */
    void redirect(InetSocketAddress to) {
        upstream = to;
    }

    /** Holds back, from now on, what the server sends on the connections that are open. */
    List<Relay> holdOpenConnections() {
        List<Relay> held = List.copyOf(relays);
        held.forEach(Relay::hold);
        return held;
    }

    /** The connections that are open, in the order in which they were made. */
    List<Relay> openConnections() {
        return List.copyOf(relays);
    }

    void cut() {
        // Not all that there are: one that is being accepted is not to be forgotten without being closed.
        List<Relay> open = List.copyOf(relays);
        open.forEach(Relay::close);
        relays.removeAll(open);
    }

    /** Cuts all connections as a firewall does that rejects what passes. */
    void reset() {
        List<Relay> open = List.copyOf(relays);
        open.forEach(Relay::reset);
        relays.removeAll(open);
    }

    @Override
    public void close() throws IOException {
        listener.close();
        cut();
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                relay(listener.accept());
            } catch (IOException e) {
                // This proxy is closed, or one connection broke while it was made: others are still taken.
            }
        }
    }

    private void relay(Socket client) throws IOException {
        Socket server = new Socket();
        try {
            server.connect(upstream);
            client.setTcpNoDelay(true);
            server.setTcpNoDelay(true);
        } catch (IOException e) {
            client.close();
            server.close();
            throw e;
        }
        Relay relay = new Relay(client, server);
        relays.add(relay);
        relay.start();
    }

    /** One connection. */
    final class Relay {

        private final Socket client;
        private final Socket donor;
        private final ReentrantLock lock = new ReentrantLock();
        private final Condition changed = lock.newCondition();
        private boolean holding;

        Relay(Socket client, Socket donor) {
            this.client = client;
            this.donor = donor;
        }

        void start() {
            Thread.ofVirtual().start(() -> pump(client, donor, true));
            Thread.ofVirtual().start(() -> pump(donor, client, false));
        }

        void hold() {
            set(true);
        }

        void release() {
            set(false);
        }

        private void set(boolean hold) {
            lock.lock();
            try {
                holding = hold;
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }

        private void pump(Socket from, Socket to, boolean toDonor) {
            byte[] bytes = new byte[64 << 10];
            try {
                InputStream in = from.getInputStream();
                OutputStream out = to.getOutputStream();
                for (int count = in.read(bytes); count >= 0; count = in.read(bytes)) {
                    if (toDonor) {
                        awaitRelease();
                    }
                    change(bytes, count, toDonor);
                    out.write(bytes, 0, count);
                }
                if (toDonor) {
                    awaitRelease();
                }
                to.shutdownOutput();
            } catch (IOException | InterruptedException e) {
                // A reset comes out as one.
                reset();
            }
        }

        void reset() {
            try {
                client.setSoLinger(true, 0);
                donor.setSoLinger(true, 0);
            } catch (SocketException e) {
                // It is closed already.
            }
            close();
        }

        private void awaitRelease() throws InterruptedException {
            lock.lock();
            try {
                while (holding) {
                    changed.await();
                }
            } finally {
                lock.unlock();
            }
        }

        void close() {
            release();
            try {
                client.close();
                donor.close();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
    }
}
