package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.Conversation;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.Greeted;
import io.leapnbd.bypass.link.NoAnswerException;
import io.leapnbd.bypass.link.RefusedException;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/** How large donors' slabs are, which a server has to know before it can offer slabs of its own. Blocking. */
public final class SlabSize {

    private static final long AGAIN_MILLIS = 500;

    private SlabSize() {}

    /**
     * Asks all until one answers.
     *
     * @param patience how long to go on while nobody does
     * @throws IOException if nobody does; one sentence for the operator
     */
    public static int of(String export, List<DonorConnector> donors, Duration patience) throws IOException {
        long deadline = System.nanoTime() + patience.toNanos();
        while (true) {
            AtomicInteger found = new AtomicInteger();
            Queue<RefusedException> refusals = new ConcurrentLinkedQueue<>();
            Parallel.run(donors.size(), donor -> ask(export, donors.get(donor), found, refusals));
            if (found.get() > 0) {
                return found.get();
            }
            RefusedException first = refusals.peek();
            if (first != null && refusals.size() == donors.size()) {
                throw first;
            }
            if (System.nanoTime() - deadline >= 0) {
                throw new NoAnswerException("no donor answers, and it is not known how large its slabs are; start one");
            }
            try {
                Thread.sleep(AGAIN_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
    }

    private static void ask(
            String export, DonorConnector donor, AtomicInteger found, Queue<RefusedException> refusals) {
        try (Conversation conversation = donor.talk(export)) {
            Greeted greeted = conversation.hello(Hello.observe(export, 0));
            HelloReply reply = greeted.reply();
            if (reply != null) {
                found.set(reply.slabSize());
            }
        } catch (RefusedException e) {
            boolean _ =
                    refusals.add(new RefusedException("donor " + donor.donor().name() + " " + e.getMessage(), e));
        } catch (IOException e) {
            // The start will say so, and why.
        }
    }
}
