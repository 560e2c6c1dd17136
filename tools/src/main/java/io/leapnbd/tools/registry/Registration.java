package io.leapnbd.tools.registry;

import io.leapnbd.tools.cli.JsonValue;
import java.time.Duration;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Something that registers itself: a key with a lease, which this keeps alive as long as the process is. When the registry is away it waits; when it is back, and has
 * forgotten the lease or the key, it registers again. Has a thread of its own; what it registers is asked for on that.
 */
public final class Registration implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Registration.class);

    /** How long a registry goes on to name somebody that has died. */
    private static final Duration LEASE = Duration.ofSeconds(10);

    /** How long it goes on to say that somebody has ended in good order, for those who were away. */
    private static final Duration FAREWELL = Duration.ofHours(24);

    private static final long LOOK_MILLIS = 1_000;
    private static final long KEEP_NANOS = LEASE.toNanos() / 3;

    /** Figures change all the time, and each change is written to the disks of a majority. */
    private static final long FIGURES_NANOS = Duration.ofSeconds(10).toNanos();

    private static final Duration LONGEST_FAREWELL = Duration.ofSeconds(3);

    /**
     * What is registered.
     *
     * @param value of the key
     * @param urgent what of it is told at once when it changes
     */
    public record Entry(String value, String urgent) {}

    private final DonorSource.Etcd etcd;
    private final EtcdClient client;
    private final String key;
    private final String process;
    private final Supplier<Entry> entries;
    private final Thread thread;
    private final Object wish = new Object();
    private boolean closed;
    private boolean hurried;

    private long lease;
    private @Nullable Entry written;
    private long writtenAt;
    private long keptAt;
    private @Nullable String stranger;
    private volatile @Nullable String complaint = "it has not answered yet";

    private Registration(
            DonorSource.Etcd etcd, RegistryAccess access, String key, String process, Supplier<Entry> entries) {
        this.etcd = etcd;
        client = new EtcdClient(etcd, access, EtcdClient.SMALL);
        this.key = key;
        this.process = process;
        this.entries = entries;
        thread = Thread.ofPlatform().name("registration").daemon().start(this::run);
    }

    /**
     * Registers a donor from now on.
     *
     * @param address where servers connect, which is its name
     * @param process as its record has it
     * @param entries what is to be registered now
     */
    public static Registration ofDonor(
            DonorSource.Etcd etcd, RegistryAccess access, String address, String process, Supplier<Entry> entries) {
        return new Registration(etcd, access, etcd.donors() + address, process, entries);
    }

    /**
     * Registers an export from now on.
     *
     * @param name of it, and whose it is
     * @param process as its record has it
     * @param entries what is to be registered now
     */
    public static Registration ofExport(
            DonorSource.Etcd etcd, RegistryAccess access, String name, String process, Supplier<Entry> entries) {
        return new Registration(etcd, access, etcd.exports() + name, process, entries);
    }

    /** Why it is not registered, in words that follow the registry's name; null if it is. */
    public @Nullable String complaint() {
        return complaint;
    }

    /** Writes what has changed at once. */
    public void hurry() {
        synchronized (wish) {
            hurried = true;
            wish.notifyAll();
        }
    }

    private void run() {
        try {
            while (true) {
                boolean ends;
                synchronized (wish) {
                    if (!closed && !hurried) {
                        wish.wait(LOOK_MILLIS);
                    }
                    hurried = false;
                    ends = closed;
                }
                if (ends) {
                    return;
                }
                turn();
            }
        } catch (InterruptedException _) {
            // It is closed.
        }
    }

    private void turn() throws InterruptedException {
        try {
            look(System.nanoTime());
            if (complaint != null) {
                log.info("registered in {} as {}", etcd, key.substring(key.lastIndexOf('/') + 1));
                complaint = null;
            }
        } catch (RegistryException e) {
            if (!String.valueOf(e.getMessage()).equals(complaint)) {
                log.warn("not registered in {}: {}; it is tried again", etcd, e.getMessage());
            }
            complaint = String.valueOf(e.getMessage());
        } catch (RuntimeException e) {
            log.error("registration in {} has failed by a defect", etcd, e);
            complaint = "a defect: " + e;
        }
    }

    private void look(long now) throws RegistryException, InterruptedException {
        if (lease == 0) {
            lease = client.grant(LEASE);
            keptAt = now;
            written = null;
        } else if (now - keptAt >= KEEP_NANOS) {
            if (!client.keepAlive(lease)) {
                log.info("registry {} has forgotten this registration; it is made again", etcd);
                lease = 0;
                look(now);
                return;
            }
            keptAt = now;
            if (isAnothers()) {
                return;
            }
        }
        Entry entry = entries.get();
        Entry last = written;
        boolean due = last == null
                || !last.urgent().equals(entry.urgent())
                || (!last.value().equals(entry.value()) && now - writtenAt >= FIGURES_NANOS);
        if (due && stranger == null) {
            client.put(key, entry.value(), lease);
            written = entry;
            writtenAt = now;
        }
    }

    /** Whether somebody else has the key. Who came last has it: nobody takes it back and forth. */
    private boolean isAnothers() throws RegistryException, InterruptedException {
        String there = client.get(key);
        if (there == null) {
            // Somebody has removed it, or the other one is gone.
            written = null;
            stranger = null;
            return false;
        }
        String who;
        boolean ended = false;
        try {
            JsonValue read = JsonValue.parse(there);
            who = read.get("process").text("");
            ended = read.get("state").text("").equals(DonorRecord.State.LEFT.toString());
        } catch (IllegalArgumentException _) {
            who = "something else";
        }
        if (who.equals(process)) {
            stranger = null;
            return false;
        }
        if (ended) {
            // Its last word came after this one's first.
            written = null;
            stranger = null;
            return false;
        }
        if (!who.equals(stranger)) {
            log.warn(
                    "another process registers as {} in {}: give one of the two another address by --advertise",
                    key.substring(key.lastIndexOf('/') + 1),
                    etcd);
        }
        stranger = who;
        written = null;
        return true;
    }

    /** Ends it, and leaves nothing. */
    @Override
    public void close() {
        end(null);
    }

    /**
     * Ends it.
     *
     * @param last what stays for a day, so that those who are away learn it; null for nothing
     */
    public void end(@Nullable String last) {
        synchronized (wish) {
            if (closed) {
                return;
            }
            closed = true;
            wish.notifyAll();
        }
        if (complaint != null) {
            // Nobody would hear it, and the end is not to wait for that.
            thread.interrupt();
            client.close();
            return;
        }
        Thread farewell = Thread.ofPlatform().name("registration-end").daemon().start(() -> sayFarewell(last));
        try {
            boolean _ = farewell.join(LONGEST_FAREWELL);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        thread.interrupt();
        farewell.interrupt();
        client.close();
    }

    private void sayFarewell(@Nullable String last) {
        try {
            boolean _ = thread.join(LONGEST_FAREWELL);
            if (lease == 0 || stranger != null) {
                return;
            }
            if (last != null) {
                client.put(key, last, client.grant(FAREWELL));
            }
            client.revoke(lease);
        } catch (RegistryException e) {
            log.info("registry {} was not told of the end: {}", etcd, e.getMessage());
        } catch (InterruptedException _) {
            // There was time enough.
        }
    }
}
