package io.leapnbd.bypass.queued;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.channel.EventLoop;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A device behind a block layer's queue ({@code --path queued}). Which step stands for which part of the kernel:
 *
 * <pre>
 *   submitted, held until the turn ends or 32 are there   blk_plug, blk_mq_plug_issue_direct      {@link StagingQueue}
 *   neighbours merged, sorted, given deadlines            mq-deadline                             {@link Elevator}
 *   a worker takes them out while there are tags          kblockd, blk_mq_run_work_fn             {@link #work}
 *   posted by the hardware queue's context                nbd_queue_rq                            the submitter's event loop
 *   the end gives the tag back and is passed on           blk_mq_complete_request, BLOCK_SOFTIRQ  {@link StagingQueue}
 * </pre>
 *
 * <p>The lock stands for the scheduler's; any thread may take it, for as long as one request is put in or taken out.
 */
public final class QueuedDevice implements BlockDevice, AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(QueuedDevice.class);

    /** Requests in the device at once: what nbd allows a connection, {@code tag_set.queue_depth}. */
    static final int DEPTH = 128;

    private final BlockDevice device;
    private final StagingObserver.Factory observers;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition runnable = lock.newCondition();
    private final Elevator elevator = new Elevator();
    private final Thread worker = Thread.ofPlatform().daemon().name("kblockd").unstarted(this::work);

    /** Under the lock. */
    private int tags = DEPTH;

    private boolean closed;

    /**
     * Starts the worker.
     *
     * @param device what is behind the queue; stays the caller's to close, after this
     * @param observers who is told how long requests were staged
     */
    public QueuedDevice(BlockDevice device, StagingObserver.Factory observers) {
        this.device = device;
        this.observers = observers;
        worker.start();
    }

    @Override
    public long size() {
        return device.size();
    }

    @Override
    public boolean readOnly() {
        return device.readOnly();
    }

    @Override
    public String description() {
        return device.description();
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        return new StagingQueue(this, device.open(loop), loop, observers.open(loop));
    }

    /** Puts what a plug has gathered into the elevator and runs the queue ({@code blk_mq_flush_plug_list}). */
    void insert(List<Bio> plugged) {
        lock.lock();
        try {
            plugged.forEach(elevator::insert);
            runnable.signal();
        } finally {
            lock.unlock();
        }
    }

    /** A dispatched request has ended ({@code blk_mq_put_tag}). */
    void giveTagBack() {
        lock.lock();
        try {
            tags++;
            if (!elevator.isEmpty()) {
                runnable.signal();
            }
        } finally {
            lock.unlock();
        }
    }

    private void work() {
        for (Bio bio = next(); bio != null; bio = next()) {
            StagingQueue queue = bio.from;
            Bio dispatched = bio;
            try {
                queue.loop().execute(() -> queue.dispatch(dispatched));
            } catch (RejectedExecutionException e) {
                LOG.debug("a request of a loop that has ended is dropped");
                giveTagBack();
            }
        }
    }

    /** Waits for a request and a tag; null when the device is closed. */
    private @Nullable Bio next() {
        lock.lock();
        try {
            while (!closed) {
                Bio bio = tags > 0 ? elevator.next(System.nanoTime()) : null;
                if (bio != null) {
                    tags--;
                    return bio;
                }
                runnable.awaitUninterruptibly();
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    /** Ends the worker; what is still staged is dropped, as its clients are by then. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            runnable.signal();
        } finally {
            lock.unlock();
        }
        boolean interrupted = false;
        while (worker.isAlive()) {
            try {
                worker.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
