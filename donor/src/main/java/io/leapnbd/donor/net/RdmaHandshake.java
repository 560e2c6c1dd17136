package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.AcceptedPair;
import io.leapnbd.donor.rdma.FrameCounts;
import io.leapnbd.donor.tls.MessageTls;
import io.leapnbd.donor.tls.PoolName;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.concurrent.RejectedExecutionException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What an RDMA link of a pool does until its peer has shown who it is. There is one buffer for what arrives, and it is offered again when its
 * message was dealt with: a peer that says more has to wait. How long all of it may take is the hello's deadline, which runs already. On the
 * link's loop.
 */
final class RdmaHandshake {

    private static final Logger LOG = LoggerFactory.getLogger(RdmaHandshake.class);

    private static final int SENDS = 4;

    /** A hello with the longest note fits, so that a server without a pool can be told what is wrong. */
    static final FrameCounts COUNTS = new FrameCounts(0, SENDS, 1, 36 << 10);

    private final Listener listener;
    private final RdmaLink link;
    private final AcceptedPair pair;
    private final MessageTls tls;

    private final int[] free = new int[SENDS];
    private int freeCount = SENDS;

    private boolean begun;

    /** Who the peer is, when that is known. */
    private @Nullable PoolName shown;

    RdmaHandshake(Listener listener, RdmaLink link, AcceptedPair pair, MessageTls tls) {
        this.listener = listener;
        this.link = link;
        this.pair = pair;
        this.tls = tls;
        for (int i = 0; i < SENDS; i++) {
            free[i] = i;
        }
    }

    /** A message has arrived; the link has not ended. */
    void received(int slot, int length) {
        ByteBuf in = pair.receiveFrame(slot).setIndex(0, length);
        if (!begun) {
            begun = true;
            if (length < 2 || !TlsProblem.beginsTls(in.getUnsignedByte(0), in.getUnsignedByte(1))) {
                refusePlainly();
                return;
            }
        }
        goOn(in);
    }

    private void goOn(ByteBuf in) {
        if (!link.isOpen() || link.conversation().ended()) {
            return;
        }
        if (freeCount == 0) {
            // It has said that it has read what it did not acknowledge.
            link.close();
            return;
        }
        int slot = free[--freeCount];
        ByteBuf out = pair.sendFrame(slot).clear();
        MessageTls.Step step;
        try {
            step = tls.handshake(in, out);
            if (step == MessageTls.Step.DONE) {
                shown = tls.peer();
            }
        } catch (SSLException e) {
            refuse(TlsProblem.sentence(e, Role.SERVER));
            tls.lastWords(out);
            boolean _ = send(slot, out);
            return;
        }
        if (!send(slot, out)) {
            return;
        }
        switch (step) {
            case RECEIVE -> receive();
            case TASK -> look(in);
            case DONE -> finish();
        }
    }

    private void receive() {
        try {
            pair.receive(0);
        } catch (IOException e) {
            broken(e);
        }
    }

    private void look(ByteBuf in) {
        try {
            tls.runTask(link::execute, () -> goOn(in));
        } catch (RejectedExecutionException e) {
            listener.log().info("link from {} closed: too many certificates wait to be looked at", link.peer());
            link.close();
        }
    }

    /** A frame has left. */
    void sent(int slot) {
        free[freeCount++] = slot;
        if (freeCount < SENDS) {
            return;
        }
        if (link.conversation().ended()) {
            link.close();
        } else {
            finish();
        }
    }

    /** All that was said has to be on its way out, as the buffers are others from here on. */
    private void finish() {
        PoolName name = shown;
        if (name != null && freeCount == SENDS && link.isOpen()) {
            shown = null;
            link.authenticated(name);
        }
    }

    private void refuse(String sentence) {
        listener.counters().badRequests.increment();
        listener.log().info("link from {} {}", link.peer(), sentence);
        link.conversation().end();
    }

    /** A server without a pool understands that much. */
    private void refusePlainly() {
        refuse(TlsProblem.notTls(Role.SERVER));
        int slot = free[--freeCount];
        ByteBuf out = pair.sendFrame(slot).clear();
        ReplyHeader.encode(out, 0, Operation.HELLO, Status.UNAUTHENTICATED, 0, 0, 0);
        boolean _ = send(slot, out.writerIndex(ReplyHeader.LENGTH));
    }

    /** False if the link has ended of it. */
    private boolean send(int slot, ByteBuf out) {
        if (!out.isReadable()) {
            sent(slot);
            return link.isOpen();
        }
        try {
            pair.send(slot, out.readableBytes());
            return true;
        } catch (IOException e) {
            broken(e);
            return false;
        }
    }

    private void broken(IOException e) {
        LOG.debug("link from {}: {}", link.peer(), e.getMessage());
        link.close();
    }
}
