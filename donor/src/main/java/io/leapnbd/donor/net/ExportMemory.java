package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Exposure;
import io.leapnbd.donor.store.SlabStore;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The slabs that are read over RDMA by whoever may, registered one by one in one protection domain: a key reaches nothing else, whatever it
 * is, and no page at all once its slab was handed back. The domain is an export's; or, of a pool, one link's alone, as whoever connects is
 * in it before he has shown who he is. The loop's thread, except what takes slabs back.
 */
final class ExportMemory implements SlabExposer {

    private static final Logger LOG = LoggerFactory.getLogger(ExportMemory.class);

    /** A protection domain, as far as slabs are concerned. */
    interface Domain {

        /**
         * Lets peers in the domain read memory.
         *
         * @throws IOException if the device or the limit of locked memory does not permit it
         */
        Registration register(long address, int length) throws IOException;

        /** Nothing of it is left. */
        void close() throws IOException;
    }

    /** Memory that peers read. */
    interface Registration {

        /** What they name it by. */
        int key();

        /** When this returns they do not any more. */
        void close() throws IOException;
    }

    private final Domain domain;
    private final SlabStore store;

    /** Has {@link #releaseTakenBack} run on the loop soon. */
    private final Runnable wakeUp;

    private final Map<Integer, Registered> registered = new HashMap<>();
    private final Queue<Integer> takenBack = new ConcurrentLinkedQueue<>();
    private boolean refusalLogged;
    int links;

    ExportMemory(Domain domain, SlabStore store, Runnable wakeUp) {
        this.domain = domain;
        this.store = store;
        this.wakeUp = wakeUp;
    }

    @Override
    public Answer expose(Claim claim, int handle) {
        Registered known = registered.get(handle);
        if (known != null) {
            return new Answer(Status.OK, known.key());
        }
        Exposure exposure = store.exposures().expose(claim, handle, () -> {
            takenBack.add(handle);
            wakeUp.run();
        });
        if (exposure.status() != Status.OK) {
            return new Answer(exposure.status(), new SlabKey(0, 0, 0));
        }
        try {
            Registration region = domain.register(exposure.address(), exposure.length());
            Registered fresh =
                    new Registered(exposure, region, new SlabKey(exposure.address(), exposure.length(), region.key()));
            registered.put(handle, fresh);
            return new Answer(Status.OK, fresh.key());
        } catch (IOException e) {
            exposure.close();
            if (!refusalLogged) {
                refusalLogged = true;
                LOG.warn(
                        "a slab cannot be registered for RDMA, so it is read with this machine's help: {}",
                        e.getMessage());
            }
            return new Answer(Status.NO_SPACE, new SlabKey(0, 0, 0));
        }
    }

    /** Ends what is left of slabs that were handed back; after that their keys are worth nothing. */
    void releaseTakenBack() {
        for (Integer handle = takenBack.poll(); handle != null; handle = takenBack.poll()) {
            Registered gone = registered.remove(handle);
            if (gone != null) {
                release(gone);
            }
        }
    }

    /** Ends all registrations. No queue pair is left. */
    void close() {
        registered.values().forEach(ExportMemory::release);
        registered.clear();
        try {
            domain.close();
        } catch (IOException e) {
            LOG.warn("{}", e.getMessage());
        }
    }

    boolean isEmpty() {
        return registered.isEmpty();
    }

    int slabs() {
        return registered.size();
    }

    private static void release(Registered gone) {
        try {
            gone.region.close();
        } catch (IOException e) {
            // Better kept for ever than lent to somebody else while it can be read.
            LOG.error("a slab that was handed back stays registered, and is not lent any more: {}", e.getMessage());
            return;
        }
        gone.exposure.close();
    }

    private record Registered(Exposure exposure, Registration region, SlabKey key) {}
}
