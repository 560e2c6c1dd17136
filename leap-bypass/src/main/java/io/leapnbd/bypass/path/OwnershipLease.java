package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkCompletion;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.nbd.spi.NbdError;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

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

    /** So old is no proof. */
    private static final long LONG_AGO_NANOS = Long.MAX_VALUE / 2;

    private final LoopLinks links;
    private final boolean always;
    private final long timeoutNanos;
    private final LongSupplier clock;
    private final ArrayDeque<Question> waiting = new ArrayDeque<>();
    private final LinkCompletion answered = this::answered;

    private final Suspensions suspensions;

    /** The newest proof that this loop has looked up. */
    private long lastProofNanos;

    /** What was sent before the end of the machine's last suspend proves nothing any more. */
    private long voidBeforeNanos;

    /** The client's request for which the machine's last suspend was looked for. */
    private long checkedForNanos;

    /** The questions, one for each number that a donor may have. */
    private final LinkRequest[] pings;

    private final boolean[] asked;

    /**
     * Of one loop. Proofs come from what the donors of its links have answered to any loop ({@link Donor#provenNanos}).
     *
     * @param suspendedNanos for how long the machine has been suspended in all; may be too high, and is never too low
     * @param always whether the donor is in this process, so that nobody else can be its server
     */
    OwnershipLease(LoopLinks links, LongSupplier suspendedNanos, boolean always, long timeoutNanos) {
        this(links, suspendedNanos, always, timeoutNanos, System::nanoTime);
    }

    /** Likewise, with another clock than {@link System#nanoTime()}. */
    OwnershipLease(
            LoopLinks links, LongSupplier suspendedNanos, boolean always, long timeoutNanos, LongSupplier clock) {
        this.clock = clock;
        this.links = links;
        this.always = always;
        this.timeoutNanos = timeoutNanos;
        suspensions = new Suspensions(suspendedNanos);
        long now = clock.getAsLong();
        voidBeforeNanos = now - LEASE_NANOS;
        lastProofNanos = now - LONG_AGO_NANOS;
        checkedForNanos = now;
        asked = new boolean[StateFile.MAX_DONORS];
        pings = new LinkRequest[StateFile.MAX_DONORS];
        Arrays.setAll(pings, i -> new LinkRequest());
    }

    /**
     * Whether what a client asked for at a time may be answered by the loop itself.
     *
     * @param nowNanos when the client's request had arrived, as {@link System#nanoTime} has it, or later
     */
    public boolean valid(long nowNanos) {
        if (always) {
            return true;
        }
        if (nowNanos != checkedForNanos) {
            checkedForNanos = nowNanos;
            endOverSuspend();
        }
        return nowNanos - lastProofNanos < LEASE_NANOS || newestProof(nowNanos);
    }

    /**
     * Another server may have taken over while the machine was suspended, and the lease's clock stood still. So this is looked for
     * once for each time of arrival, before the first answer.
     */
    private void endOverSuspend() {
        if (suspensions.ended()) {
            voidBeforeNanos = clock.getAsLong();
            lastProofNanos = voidBeforeNanos - LONG_AGO_NANOS;
        }
    }

    /** What one loop has proved is true of the server, and so of all its loops. */
    private boolean newestProof(long nowNanos) {
        for (int i = 0; i < links.count(); i++) {
            long proven = links.get(i).donor().provenNanos();
            if (proven - voidBeforeNanos > 0 && proven - lastProofNanos > 0) {
                lastProofNanos = proven;
            }
        }
        return nowNanos - lastProofNanos < LEASE_NANOS;
    }

    /**
     * Asks the donors, and goes on when the first of them has answered. A part of {@code client} waits meanwhile; it fails if
     * none answers before the client's deadline, or if one says that there is a newer server.
     */
    public void ask(ClientRequest client, Runnable then) {
        client.addPart();
        waiting.addLast(new Question(client, then));
        post(clock.getAsLong());
    }

    /** Asks every donor that is connected and has not been asked yet. */
    private void post(long now) {
        for (int i = 0; i < links.count(); i++) {
            DonorLink link = links.get(i);
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
