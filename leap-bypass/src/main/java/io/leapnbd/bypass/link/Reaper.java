package io.leapnbd.bypass.link;

import io.leapnbd.donor.rdma.Transfers;
import io.leapnbd.donor.rdma.Watched;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Takes the completions of one session's queue pair, on the loop: woken by the completion channel's descriptor, or, with busy
 * polling, by looking in every turn as long as something is under way. For the loop's thread.
 */
final class Reaper {

    /** How often a turn looks for completions when polling: a look is cheaper than a turn, which looks at the sockets, too. */
    private static final int LOOKS = 32;

    private final IoEventLoop loop;
    private final RdmaSession session;
    private final Transfers transfers;
    private final boolean busyPoll;
    private final Runnable pollTask = this::poll;
    private boolean pollPending;
    private @Nullable Watched watched;
    private boolean stopped;

    /** Within the queue pair's own calls, which must not be entered again. */
    private boolean reaping;

    Reaper(IoEventLoop loop, RdmaSession session, Transfers transfers, boolean busyPoll) {
        this.loop = loop;
        this.session = session;
        this.transfers = transfers;
        this.busyPoll = busyPoll;
    }

    void start() throws IOException {
        if (!busyPoll) {
            watched = Watched.on(loop, transfers.descriptor(), this::woken);
            transfers.arm();
        }
    }

    private void woken() {
        if (stopped) {
            return;
        }
        reaping = true;
        try {
            transfers.reapAfterEvent();
        } catch (IOException e) {
            session.broken(e);
        }
        reaping = false;
        session.endOfTurn();
    }

    /** Takes what has come back, if there is a chance that something has. */
    void reap() {
        if (stopped || reaping || (!busyPoll && !session.readsUnderWay())) {
            return;
        }
        reaping = true;
        try {
            int looks = busyPoll ? LOOKS : 1;
            while (transfers.reap() == 0 && --looks > 0) {
                Thread.onSpinWait();
            }
        } catch (IOException e) {
            session.broken(e);
        }
        reaping = false;
        session.endOfTurn();
    }

    /** Takes what there is, whatever was posted: the connection is about to be given up. */
    void reapLast() {
        if (stopped || reaping) {
            return;
        }
        reaping = true;
        try {
            int _ = transfers.reap();
        } catch (IOException e) {
            session.broken(e);
        }
        reaping = false;
    }

    /** Something was posted. */
    void posted() {
        if (busyPoll && !pollPending && !stopped && session.somethingUnderWay()) {
            pollPending = true;
            loop.execute(pollTask);
        }
    }

    private void poll() {
        pollPending = false;
        reap();
        posted();
    }

    /** Takes nothing any more. */
    void stop() {
        stopped = true;
        if (watched != null) {
            watched.cancel();
        }
    }
}
