package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.nbd.spi.NbdError;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Whether one loop may answer a request without asking a donor: from the cache, or because a page is blank or lost. A server that
 * was stopped for a while may have been replaced, and then its own knowledge is old (docs/ownership.md, "A server that may
 * have been fenced and cannot know").
 *
 * <p>What a donor answers with anything but FENCED proves that this server still owned the export when the request was
 * <i>sent</i>. A newer server is not ready before {@link #LEASE_NANOS} and a margin have passed since then. So what a client asked for within that time may be
 * answered by this loop itself, whenever the answer leaves: between question and answer there was a moment at which it was right.
 *
 * <p>For the loop's thread.
 */
public final class OwnershipLease {

    /** For so long after the sending of a request that was answered a loop may answer by itself. */
    static final long LEASE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final long PUBLISH_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private final DonorLink[] links;
    private final boolean always;
    private final long timeoutNanos;
    private final ArrayDeque<Question> waiting = new ArrayDeque<>();
    private final LinkCompletion answered = this::answered;

    /** The newest proof of all loops, a little late. */
    private final AtomicLong newest;

    private long lastProofNanos;
    private long publishedNanos;

    /** The questions, one for each link. */
    private final LinkRequest[] pings;

    private final boolean[] asked;

    /** For {@code newest} of all loops of a server that has no proof yet. */
    public static AtomicLong noProof() {
        return new AtomicLong(System.nanoTime() - LEASE_NANOS);
    }

    /**
     * Of one loop.
     *
     * @param newest the newest proof of all loops, shared by them
     * @param always whether the donor is in this process, so that nobody else can be its server
     */
    OwnershipLease(DonorLink[] links, AtomicLong newest, boolean always, long timeoutNanos) {
        this.links = links;
        this.newest = newest;
        this.always = always;
        this.timeoutNanos = timeoutNanos;
        lastProofNanos = newest.get();
        publishedNanos = lastProofNanos - PUBLISH_NANOS;
        asked = new boolean[links.length];
        pings = new LinkRequest[links.length];
        Arrays.setAll(pings, i -> new LinkRequest());
    }

    /**
     * Whether what a client asked for at a time may be answered by the loop itself.
     *
     * @param nowNanos when the client's request had arrived, as {@link System#nanoTime} has it, or later
     */
    public boolean valid(long nowNanos) {
        return nowNanos - lastProofNanos < LEASE_NANOS || always || validByOthers(nowNanos);
    }

    /** What one loop has proved is true of the server, and so of all its loops. */
    private boolean validByOthers(long nowNanos) {
        lastProofNanos = Math.max(lastProofNanos, newest.get());
        return nowNanos - lastProofNanos < LEASE_NANOS;
    }

    /** A donor has answered a request as this export's owner's. */
    public void proven(LinkRequest request) {
        long sent = request.postNanos;
        if (sent != 0 && sent - lastProofNanos > 0) {
            lastProofNanos = sent;
            if (sent - publishedNanos > PUBLISH_NANOS) {
                publishedNanos = sent;
                long _ = newest.accumulateAndGet(sent, Math::max);
            }
        }
    }

    /**
     * Asks the donors, and goes on when the first of them has answered. A part of {@code client} waits meanwhile; it fails if
     * none answers before the client's deadline, or if one says that there is a newer server.
     */
    public void ask(ClientRequest client, Runnable then) {
        client.addPart();
        waiting.addLast(new Question(client, then));
        post(System.nanoTime());
    }

    /** Asks every donor that is connected and has not been asked yet. */
    private void post(long now) {
        for (int i = 0; i < links.length; i++) {
            DonorLink link = links[i];
            if (!asked[i] && link.ready()) {
                asked[i] = true;
                LinkRequest ping = pings[i];
                ping.clear();
                ping.operation = Operation.PING;
                ping.slab = i;
                ping.startNanos = now;
                ping.deadlineNanos = now + timeoutNanos;
                ping.completion = answered;
                link.post(ping);
                link.flush();
            }
        }
    }

    private void answered(LinkRequest ping, long now) {
        asked[ping.slab] = false;
        if (ping.outcome == Outcome.OK) {
            proven(ping);
            for (int left = waiting.size(); left > 0; left--) {
                Question first = waiting.pollFirst();
                if (first == null) {
                    break;
                }
                if (valid(first.client.startNanos())) {
                    first.goOn();
                } else {
                    // It came long after the question was sent.
                    waiting.addLast(first);
                }
            }
            if (!waiting.isEmpty()) {
                post(now);
            }
        } else if (ping.outcome == Outcome.FENCED) {
            for (Question first = waiting.pollFirst(); first != null; first = waiting.pollFirst()) {
                first.client.loop.endFenced(first.client);
            }
        }
    }

    /** Asks again where nobody answers, and ends who has waited too long. */
    void tick(long now) {
        if (waiting.isEmpty()) {
            return;
        }
        for (int left = waiting.size(); left > 0; left--) {
            Question first = waiting.pollFirst();
            if (first == null) {
                break;
            }
            if (now - (first.client.startNanos() + timeoutNanos) >= 0) {
                first.client.fail(NbdError.EIO);
                first.client.endPart();
            } else {
                waiting.addLast(first);
            }
        }
        if (!waiting.isEmpty()) {
            post(now);
        }
    }

    /** Fails all that wait. */
    void close() {
        for (Question first = waiting.pollFirst(); first != null; first = waiting.pollFirst()) {
            first.client.fail(NbdError.EIO);
            first.client.endPart();
        }
    }

    private record Question(ClientRequest client, Runnable then) {

        void goOn() {
            try {
                then.run();
            } catch (RuntimeException | Error e) {
                client.fail(e);
            }
            client.endPart();
        }
    }
}
