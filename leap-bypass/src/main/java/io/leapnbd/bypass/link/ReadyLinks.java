package io.leapnbd.bypass.link;

import io.netty.channel.EventLoop;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The links of all loops to one donor that can be used, so that a loop whose own link the donor does not take, being full of links, can
 * use another loop's. A request that is handed over takes two more turns of a loop, one each way, and two small objects. It
 * counts for the other link's window. Any thread.
 */
final class ReadyLinks {

    private final List<Ready> links = new CopyOnWriteArrayList<>();
    private final AtomicInteger next = new AtomicInteger();

    /** A link can be used from now on. */
    void add(DonorLink link, EventLoop loop) {
        links.add(new Ready(link, loop));
    }

    /** A link cannot be used any more. */
    void remove(DonorLink link) {
        links.removeIf(ready -> ready.link.equals(link));
    }

    boolean isEmpty() {
        return links.isEmpty();
    }

    /** Whether this is the link that says for the whole server that it is there. */
    boolean speaksForAll(DonorLink link) {
        for (Ready ready : links) {
            return ready.link.equals(link);
        }
        return false;
    }

    /**
     * Gives a request to another loop's link; it is completed on {@code home} all the same. One that was handed over before stays where it is.
     *
     * @param home the loop that has posted it, and that calls
     * @return whether it is another link's now
     */
    boolean handOver(LinkRequest request, EventLoop home) {
        Ready[] now = links.toArray(new Ready[0]);
        if (now.length == 0 || request.handedOver) {
            return false;
        }
        Ready to = now[Math.floorMod(next.getAndIncrement(), now.length)];
        LinkCompletion completion = request.completion;
        request.handedOver = true;
        request.completion = (done, at) -> returned(done, completion, home);
        try {
            to.loop.execute(() -> {
                to.link.post(request);
                to.link.flush();
            });
            return true;
        } catch (RejectedExecutionException e) {
            request.completion = completion;
            request.handedOver = false;
            return false;
        }
    }

    private static void returned(LinkRequest request, LinkCompletion completion, EventLoop home) {
        LinkRequest.Outcome outcome = request.outcome;
        Runnable end = () -> {
            request.completion = completion;
            request.handedOver = false;
            request.finish(outcome, System.nanoTime());
        };
        try {
            home.execute(end);
        } catch (RejectedExecutionException e) {
            // The loop has ended, and its clients' connections with it.
            end.run();
        }
    }

    private record Ready(DonorLink link, EventLoop loop) {}
}
