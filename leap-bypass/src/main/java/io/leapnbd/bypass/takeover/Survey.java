package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.Conversation;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.Greeted;
import io.leapnbd.bypass.link.RefusedException;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Observes every donor, which changes nothing, and keeps the conversations for what follows. Blocking; for one thread.
 *
 * <p>Whether the server that owns the export still answers is found out by looking twice: a running one says something to each of its
 * donors every second, so what a donor has heard of it gets younger.
 */
final class Survey implements AutoCloseable {

    /** How long to look whether the owner is heard: three of its heartbeats. */
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(3);

    private static final long LOOK_AGAIN_MILLIS = 200;

    /** Times are told in whole milliseconds. */
    private static final long ROUNDING_NANOS = TimeUnit.MILLISECONDS.toNanos(3);

    private final String export;
    private final List<DonorConnector> connectors;
    private final @Nullable Conversation[] conversations;
    private final @Nullable HelloReply[] replies;
    private final @Nullable String[] problems;
    private final boolean[] refused;
    private final boolean[] answering;

    /** A donor at which the export is another server's. */
    private volatile @Nullable RefusedException owned;

    /** Opens nothing yet. */
    Survey(String export, List<DonorConnector> connectors) {
        this.export = export;
        this.connectors = connectors;
        conversations = new Conversation[connectors.size()];
        replies = new HelloReply[connectors.size()];
        problems = new String[connectors.size()];
        refused = new boolean[connectors.size()];
        answering = new boolean[connectors.size()];
    }

    /**
     * Observes all donors at once.
     *
     * @param lookForOwners whether to find out if the owners still answer; it takes up to three seconds where they have links
     * @throws RefusedException if the export is another server's at one of them. One that refuses this server, or is refused by it, for another reason is like
     *     one that is silent
     */
    List<Greeting> observe(boolean lookForOwners) throws IOException {
        Parallel.run(connectors.size(), this::open);
        requireOurs();
        if (lookForOwners) {
            Parallel.run(connectors.size(), this::look);
            requireOurs();
        }
        List<Greeting> greetings = new ArrayList<>();
        for (int i = 0; i < connectors.size(); i++) {
            HelloReply reply = replies[i];
            String problem = problems[i];
            if (reply != null) {
                greetings.add(Greeting.of(i, address(i), found(reply, answering[i])));
            } else {
                String why = problem == null ? "no answer" : problem;
                greetings.add(refused[i] ? Greeting.refused(i, address(i), why) : Greeting.none(i, address(i), why));
            }
        }
        return greetings;
    }

    private void requireOurs() throws RefusedException {
        RefusedException why = owned;
        if (why != null) {
            throw why;
        }
    }

    String address(int donor) {
        return connectors.get(donor).donor().name();
    }

    /** The conversation with a donor that answered. What it throws names the donor. */
    Conversation with(int donor) {
        return new NamedConversation(address(donor), unnamed(donor));
    }

    private Conversation unnamed(int donor) {
        Conversation conversation = conversations[donor];
        if (conversation == null) {
            throw new IllegalStateException("donor " + address(donor) + " did not answer");
        }
        return conversation;
    }

    /** What a donor answered. */
    HelloReply reply(int donor) {
        HelloReply reply = replies[donor];
        if (reply == null) {
            throw new IllegalStateException("donor " + address(donor) + " did not answer");
        }
        return reply;
    }

    private void open(int donor) {
        try {
            Conversation conversation = connectors.get(donor).talk(export);
            conversations[donor] = conversation;
            replies[donor] = greet(conversation);
        } catch (IOException e) {
            silent(donor, e);
        }
    }

    private void silent(int donor, IOException why) {
        replies[donor] = null;
        problems[donor] = String.valueOf(why.getMessage());
        refused[donor] = why instanceof RefusedException;
        if (why instanceof RefusedException its && its.isOwned()) {
            owned = new RefusedException("donor " + address(donor) + " " + its.getMessage(), its);
        }
    }

    private HelloReply greet(Conversation conversation) throws IOException {
        Greeted greeted = conversation.hello(Hello.observe(export, 0));
        HelloReply reply = greeted.reply();
        if (greeted.status() != Status.OK || reply == null) {
            throw new IOException("refused the hello: " + Status.name(greeted.status()));
        }
        try {
            Note.decode(reply.note());
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
        return reply;
    }

    /**
     * Looks whether the owner is heard. What a donor tells was true at some time between our question and its answer, so it counts as news
     * only if the earliest time that it may mean now is after the latest that it may have meant first: a slow machine is no news.
     */
    private void look(int donor) {
        HelloReply first = replies[donor];
        if (first == null || !first.hasContent() || first.heardMillisAgo() < 0) {
            return;
        }
        long begin = System.nanoTime();
        long latest = begin - TimeUnit.MILLISECONDS.toNanos(first.heardMillisAgo());
        try {
            while (!answering[donor] && System.nanoTime() - begin < LOOK_NANOS) {
                Thread.sleep(LOOK_AGAIN_MILLIS);
                long asked = System.nanoTime();
                HelloReply again = greet(unnamed(donor));
                replies[donor] = again;
                if (again.heardMillisAgo() < 0) {
                    return;
                }
                long earliest = asked - TimeUnit.MILLISECONDS.toNanos(again.heardMillisAgo());
                answering[donor] = earliest - latest > ROUNDING_NANOS;
            }
        } catch (IOException e) {
            silent(donor, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static Found found(HelloReply reply, boolean ownerAnswers) {
        return new Found(
                reply.incarnation(),
                reply.slabSize(),
                reply.epoch(),
                reply.content(),
                new Owner(
                        reply.instance(),
                        reply.term(),
                        reply.host(),
                        Words.printable(reply.owner()),
                        reply.claimedMillisAgo()),
                ownerAnswers,
                reply.answeredMillisAgo(),
                // A claim closes the owner's links.
                (int) Math.min(Integer.MAX_VALUE, (long) reply.freeLinks() + reply.links()),
                reply.freeSlabs(),
                reply.heldSlabs(),
                Note.decode(reply.note()));
    }

    @Override
    public void close() {
        for (Conversation conversation : conversations) {
            if (conversation != null) {
                conversation.close();
            }
        }
    }
}
