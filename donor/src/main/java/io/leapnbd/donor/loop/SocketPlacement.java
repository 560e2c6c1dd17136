package io.leapnbd.donor.loop;

import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.unix.IntegerUnixChannelOption;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Which event loop an accepted socket gets: the one that has the fewest; and of pinned loops the one on the processor at which the
 * socket's packets arrive (socket(7), {@code SO_INCOMING_CPU}), as long as it has at most one more than the one with the fewest,
 * because a short conversation that a server has just ended may still be counted. What a network card's queue, or a peer on
 * this machine, hands over on a processor is then served there, and two peers that keep to a processor each do not meet. Where all
 * packets arrive at one processor, a loop has up to two more than another. Any thread.
 */
final class SocketPlacement {

    private static final int SOL_SOCKET = 1;
    private static final int SO_INCOMING_CPU = 49;
    private static final IntegerUnixChannelOption INCOMING_PROCESSOR =
            new IntegerUnixChannelOption("SO_INCOMING_CPU", SOL_SOCKET, SO_INCOMING_CPU);

    private final int[] processors;
    private final AtomicIntegerArray sockets;

    /**
     * For loops that have no socket yet.
     *
     * @param loops how many
     * @param processors that of each pinned loop; empty if they are not pinned
     */
    SocketPlacement(int loops, int[] processors) {
        this.processors = processors;
        sockets = new AtomicIntegerArray(loops);
    }

    /** Chooses the loop of a socket, counting it there until it is closed. */
    int place(Channel socket) {
        int loop = choose(processors.length == 0 ? -1 : incomingProcessor(socket));
        sockets.incrementAndGet(loop);
        socket.closeFuture().addListener(closed -> sockets.decrementAndGet(loop));
        return loop;
    }

    private int choose(int incoming) {
        int fewest = 0;
        for (int loop = 1; loop < sockets.length(); loop++) {
            if (sockets.get(loop) < sockets.get(fewest)) {
                fewest = loop;
            }
        }
        int nearest = -1;
        for (int loop = 0; loop < processors.length; loop++) {
            if (processors[loop] == incoming && (nearest < 0 || sockets.get(loop) < sockets.get(nearest))) {
                nearest = loop;
            }
        }
        return nearest >= 0 && sockets.get(nearest) <= sockets.get(fewest) + 1 ? nearest : fewest;
    }

    /** -1 if the kernel does not say. */
    private static int incomingProcessor(Channel socket) {
        try {
            return Objects.requireNonNullElse(socket.config().getOption(INCOMING_PROCESSOR), -1);
        } catch (ChannelException _) {
            return -1;
        }
    }
}
