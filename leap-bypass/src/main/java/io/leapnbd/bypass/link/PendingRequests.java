package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The requests of a link that wait to be sent: demands, then bulk (writes and trims), then background reads, each first in, first
 * out. Demands never wait for the other two. For one thread.
 */
final class PendingRequests {

    private final Sender sender;
    private final RequestQueue demands = new RequestQueue();
    private final RequestQueue bulk = new RequestQueue();
    private final RequestQueue background = new RequestQueue();

    PendingRequests(Sender sender) {
        this.sender = sender;
    }

    /** Whether demands wait, so that background reads must not go now. */
    boolean demandsWait() {
        return !demands.isEmpty();
    }

    /** Whether a request of this kind would have none ahead of it. */
    boolean noneAhead(LinkRequest request) {
        return queueOf(request).isEmpty();
    }

    /** Adds a request that is in no queue, behind those of its kind. */
    void add(LinkRequest request) {
        queueOf(request).add(request);
    }

    /** Makes a background read a demand, and puts it behind the others if it waited here; whether it did. */
    boolean promote(LinkRequest request) {
        boolean waits = background.remove(request);
        request.background = false;
        if (waits) {
            demands.add(request);
        }
        return waits;
    }

    /** Sends what can be sent. */
    void pump() {
        if (demands.isEmpty() && bulk.isEmpty() && background.isEmpty()) {
            return;
        }
        long now = System.nanoTime();
        pump(demands, now);
        pump(bulk, now);
        pump(background, now);
    }

    /** Likewise, if {@code request}, which was added last, has none ahead of it: others of its kind could not be sent before. */
    void pumpIfFirst(LinkRequest request, long now) {
        RequestQueue queue = queueOf(request);
        if (queue.peek() == request) {
            pump(queue, now);
        }
    }

    private void pump(RequestQueue queue, long now) {
        for (LinkRequest first = queue.peek(); first != null; first = queue.peek()) {
            if (now - first.deadlineNanos >= 0 && first.unanswered == 0) {
                // Sent now, it would have no time to be answered, and its link would be taken for a broken one.
                boolean _ = queue.remove(first);
                first.finish(Outcome.UNREACHABLE, now);
            } else if (sender.advance(first, now)) {
                boolean _ = queue.remove(first);
                sender.left(first, now);
            } else {
                return;
            }
        }
    }

    /** Puts a request back that was under way on a connection that has ended; or ends it, with the link or at its deadline. */
    void again(LinkRequest request, @Nullable Outcome over, long now) {
        if (over != null) {
            request.finish(over, now);
        } else if (now - request.deadlineNanos >= 0) {
            request.finish(Outcome.UNREACHABLE, now);
        } else {
            add(request);
        }
    }

    /** Ends what is past its deadline. What was sent in part has to wait for the answers: they refer to it. */
    void expire(long now) {
        expire(demands, now);
        expire(bulk, now);
        expire(background, now);
    }

    private static void expire(RequestQueue queue, long now) {
        for (int left = queue.size(); left > 0; left--) {
            LinkRequest request = queue.poll();
            if (request == null) {
                return;
            }
            if (now - request.deadlineNanos >= 0 && request.unanswered == 0) {
                request.finish(Outcome.UNREACHABLE, now);
            } else {
                queue.add(request);
            }
        }
    }

    /** Offers each that has not been sent in part; those that are taken leave. */
    void offer(Predicate<LinkRequest> taker) {
        offer(demands, taker);
        offer(bulk, taker);
        offer(background, taker);
    }

    private static void offer(RequestQueue queue, Predicate<LinkRequest> taker) {
        for (int left = queue.size(); left > 0; left--) {
            LinkRequest request = queue.poll();
            if (request == null) {
                return;
            }
            if (request.unanswered > 0 || !taker.test(request)) {
                queue.add(request);
            }
        }
    }

    /** Shows all of them to somebody, who leaves them where they are. */
    void each(Consumer<LinkRequest> to) {
        demands.each(to);
        bulk.each(to);
        background.each(to);
    }

    /** Ends all. */
    void end(Outcome how, long now) {
        end(demands, how, now);
        end(bulk, how, now);
        end(background, how, now);
    }

    private static void end(RequestQueue queue, Outcome how, long now) {
        for (LinkRequest r = queue.poll(); r != null; r = queue.poll()) {
            r.finish(how, now);
        }
    }

    private RequestQueue queueOf(LinkRequest request) {
        return request.urgent() ? demands : request.background ? background : bulk;
    }

    /** What sends. */
    interface Sender {

        /**
         * Sends as much as can be sent now of the request that is first in its queue, without ending it.
         *
         * @return whether it need not wait any more; it is taken out of its queue then
         */
        boolean advance(LinkRequest request, long now);

        /** The request is in no queue any more. */
        void left(LinkRequest request, long now);
    }
}
