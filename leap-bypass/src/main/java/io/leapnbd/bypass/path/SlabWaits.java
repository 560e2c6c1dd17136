package io.leapnbd.bypass.path;

import io.leapnbd.nbd.spi.NbdError;
import java.util.ArrayDeque;

/**
 * The parts of clients' requests on one loop that wait for slabs to be allocated, by whichever loop. Each has the deadline of its
 * own request, whatever becomes of the allocation. For the loop's thread.
 */
final class SlabWaits {

    private final DeviceLoop loop;
    private final ArrayDeque<Wait> waiting = new ArrayDeque<>();

    SlabWaits(DeviceLoop loop) {
        this.loop = loop;
    }

    /** Runs {@code then}, as a part of {@code client}, when the slab has memory; or fails the part. */
    void whenMapped(SlabAllocator allocator, int slab, ClientRequest client, Runnable then) {
        client.addPart();
        Wait wait = new Wait(loop, client, then);
        waiting.addLast(wait);
        if (!allocator.await(slab, wait)) {
            wait.end(0);
        }
    }

    /** Fails those that have waited too long, and forgets those that have ended. */
    void tick(long now) {
        for (int left = waiting.size(); left > 0; left--) {
            Wait first = waiting.pollFirst();
            if (first == null) {
                return;
            }
            if (first.expired(now)) {
                first.end(NbdError.EIO.code());
            }
            if (!first.over) {
                waiting.addLast(first);
            }
        }
    }

    /** Fails all. */
    void close() {
        for (Wait first = waiting.pollFirst(); first != null; first = waiting.pollFirst()) {
            first.end(NbdError.EIO.code());
        }
    }

    /** One part that waits. */
    static final class Wait {

        private final DeviceLoop loop;
        private final ClientRequest client;
        private final Runnable then;
        private final long deadlineNanos;

        /** On its loop. */
        private boolean over;

        Wait(DeviceLoop loop, ClientRequest client, Runnable then) {
            this.loop = loop;
            this.client = client;
            this.then = then;
            deadlineNanos = loop.deadline(client);
        }

        DeviceLoop loop() {
            return loop;
        }

        /** Whether nobody cares any more. Any thread. */
        boolean expired(long now) {
            return now - deadlineNanos >= 0;
        }

        /** Ends the wait with 0 or the code of an error. Any thread; only the first end counts. */
        void endOnLoop(int error) {
            loop.onLoop(() -> end(error));
        }

        private void end(int error) {
            if (over) {
                return;
            }
            over = true;
            loop.endPart(client, () -> {
                if (error == 0) {
                    then.run();
                } else {
                    client.fail(error);
                }
            });
        }
    }
}
