package io.leapnbd.tools.service;

import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.NotifySocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the service manager that started this process how it is ({@code sd_notify(3)}, {@code Type=notify}). Without one, that is without
 * {@code NOTIFY_SOCKET}, nothing is said and nothing is started. Any thread.
 *
 * <p>With {@code WATCHDOG_USEC} ({@code WatchdogSec=}) a thread sends {@code WATCHDOG=1}, and only when the {@link Pulse} beats: a
 * service whose loops stand still is killed and started again, although its process lives.
 */
public final class ServiceNotice implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ServiceNotice.class);

    private static final byte[] ALIVE = "WATCHDOG=1".getBytes(StandardCharsets.US_ASCII);

    /** Of the time that the service manager gives, so much passes between two signs of life, and is waited for one. */
    private static final int PARTS = 4;

    private static final int LONGEST_STATUS = 400;

    private final @Nullable NotifySocket socket;
    private final long watchdogMicros;
    private @Nullable Thread watchdog;
    private boolean failed;

    private ServiceNotice(@Nullable NotifySocket socket, long watchdogMicros) {
        this.socket = socket;
        this.watchdogMicros = watchdogMicros;
    }

    /** As this process's environment has it. */
    public static ServiceNotice here() {
        return of(System.getenv(), ProcessHandle.current().pid());
    }

    /**
     * As an environment has it.
     *
     * @param pid of this process; a watchdog may be another's
     */
    static ServiceNotice of(Map<String, String> environment, long pid) {
        String address = environment.getOrDefault("NOTIFY_SOCKET", "");
        if (address.isEmpty()) {
            return new ServiceNotice(null, 0);
        }
        try {
            return new ServiceNotice(NotifySocket.to(address), watchdogMicros(environment, pid));
        } catch (LinuxException | IllegalArgumentException e) {
            log.warn("the service manager is told nothing: NOTIFY_SOCKET={}: {}", address, e.getMessage());
            return new ServiceNotice(null, 0);
        }
    }

    private static long watchdogMicros(Map<String, String> environment, long pid) {
        String micros = environment.getOrDefault("WATCHDOG_USEC", "");
        String whose = environment.getOrDefault("WATCHDOG_PID", "");
        return micros.matches("[1-9]\\d{0,17}") && (whose.isEmpty() || whose.equals(Long.toString(pid)))
                ? Long.parseLong(micros)
                : 0;
    }

    /**
     * The service is ready. Starts the watchdog's thread if one is asked for.
     *
     * @param status one line for {@code systemctl status}
     * @param pulse of the threads that do its work
     */
    public synchronized void ready(String status, Pulse pulse) {
        send("READY=1\n" + statusLine(status));
        if (socket != null && watchdogMicros > 0 && watchdog == null) {
            watchdog = Thread.ofPlatform().daemon().name("watchdog").start(() -> watch(pulse));
        }
    }

    /** What it does now, in one line. */
    public void status(String status) {
        send(statusLine(status));
    }

    /**
     * It begins to end. The watchdog goes on meanwhile.
     *
     * @param time how long that may take; the service manager does not kill it before
     */
    public void stopping(String status, Duration time) {
        send("STOPPING=1\n" + statusLine(status) + "\nEXTEND_TIMEOUT_USEC="
                + TimeUnit.NANOSECONDS.toMicros(time.toNanos()));
    }

    private static String statusLine(String status) {
        String line = status.replaceAll("\\p{Cntrl}", "?");
        return "STATUS=" + line.substring(0, Math.min(line.length(), LONGEST_STATUS));
    }

    private void watch(Pulse pulse) {
        long part = Math.max(1, TimeUnit.MICROSECONDS.toNanos(watchdogMicros) / PARTS);
        boolean alive = true;
        try {
            while (true) {
                boolean beats = pulse.beats(part);
                if (beats) {
                    send(ALIVE);
                } else if (alive) {
                    log.error(
                            "a thread that serves requests has stood still for {} ms; if it goes on so, the service manager starts this"
                                    + " process anew",
                            TimeUnit.NANOSECONDS.toMillis(part));
                }
                alive = beats;
                TimeUnit.NANOSECONDS.sleep(part);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void send(String message) {
        send(message.getBytes(StandardCharsets.UTF_8));
    }

    private synchronized void send(byte[] message) {
        if (socket == null) {
            return;
        }
        try {
            socket.send(message);
            failed = false;
        } catch (LinuxException e) {
            if (!failed) {
                failed = true;
                log.warn("the service manager cannot be told how this process is: {}", e.getMessage());
            }
        }
    }

    /** Says nothing more. */
    @Override
    public void close() {
        Thread running;
        synchronized (this) {
            running = watchdog;
        }
        if (running != null) {
            running.interrupt();
        }
        // The socket stays: who still sends must not find another file in its place.
    }
}
