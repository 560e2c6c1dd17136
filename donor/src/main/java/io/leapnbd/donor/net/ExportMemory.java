package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.MemoryDomain;
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
 * The slabs of one export that its server reads over RDMA by itself, registered one by one in a protection domain of the
 * export's own: a key reaches no other export's pages, whatever it is, and no page at all once its slab was handed back. The
 * loop's thread, except what takes slabs back.
 */
final class ExportMemory implements SlabExposer {

    private static final Logger LOG = LoggerFactory.getLogger(ExportMemory.class);

    final MemoryDomain domain;
    private final SlabStore store;

    /** Has {@link #releaseTakenBack} run on the loop soon. */
    private final Runnable wakeUp;

    private final Map<Integer, Registered> registered = new HashMap<>();
    private final Queue<Integer> takenBack = new ConcurrentLinkedQueue<>();
    private boolean refusalLogged;
    int links;

    ExportMemory(MemoryDomain domain, SlabStore store, Runnable wakeUp) {
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
            MemoryDomain.Region region =
                    domain.register(exposure.address(), exposure.length(), MemoryDomain.Right.REMOTE_READ);
            Registered fresh = new Registered(
                    exposure, region, new SlabKey(exposure.address(), exposure.length(), region.remoteKey()));
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

    private record Registered(Exposure exposure, MemoryDomain.Region region, SlabKey key) {}
}
