package io.leapnbd.nbd.server;

import io.leapnbd.nbd.tls.PskSession;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.DecoderException;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;

/**
 * TLS of one connection, by {@link PskSession}. What is received is decrypted at once, what is written is encrypted at once: nothing waits here but
 * less than a record, so the channel knows all that has not left. Belongs to the connection's loop.
 *
 * <p>What TLS sends on its own, as answers to a client that changes its keys, is bounded too: {@link #MOST_UNASKED} bytes while the client does not
 * take what there is for it.
 */
final class PskHandler extends ChannelDuplexHandler {

    /** Records in one buffer of what is sent. */
    private static final int RECORDS = 3;

    private static final int LEAST_ROOM = 512;
    private static final int MOST_ROOM = 64 << 10;

    static final int MOST_UNASKED = 16 << 10;

    private final PskSession session;
    private final ByteBufAllocator allocator;
    private final Consumer<String> established;
    private boolean shaken;
    private boolean ending;
    private boolean failed;

    /** Bytes that TLS has sent on its own since the client last took all but a few. */
    private int unasked;

    PskHandler(PskSession session, ByteBufAllocator allocator, Consumer<String> established) {
        this.session = session;
        this.allocator = allocator;
        this.established = established;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ByteBuf received = (ByteBuf) msg;
        int bytes = received.readableBytes();
        try {
            if (failed || !session.isOpen()) {
                return;
            }
            session.offer(received.memoryAddress() + received.readerIndex(), bytes);
        } finally {
            received.release();
        }
        try {
            if (shaken || shakeHands(ctx)) {
                decrypt(ctx, bytes);
            }
        } catch (SSLException e) {
            failed = true;
            sendUnasked(ctx);
            ctx.fireExceptionCaught(new DecoderException(e));
        }
    }

    private boolean shakeHands(ChannelHandlerContext ctx) throws SSLException {
        shaken = session.shakeHands();
        sendUnasked(ctx);
        if (shaken) {
            established.accept(session.description());
        }
        return shaken;
    }

    private void decrypt(ChannelHandlerContext ctx, int received) throws SSLException {
        int last = 1;
        // Whoever is handed something may close the connection.
        while (last > 0 && session.isOpen()) {
            ByteBuf plain = allocator.directBuffer(Math.clamp(received, LEAST_ROOM, MOST_ROOM));
            try {
                do {
                    last = session.decrypt(plain.memoryAddress() + plain.writerIndex(), plain.writableBytes());
                    plain.writerIndex(plain.writerIndex() + Math.max(0, last));
                } while (last > 0 && plain.isWritable());
                if (plain.isReadable()) {
                    ctx.fireChannelRead(plain.retain());
                }
            } finally {
                plain.release();
            }
        }
        if (session.isOpen()) {
            sendUnasked(ctx);
            if (unasked > MOST_UNASKED) {
                throw new SSLException("it changes its keys and does not take the answers");
            }
            if (last < 0) {
                close(ctx, ctx.newPromise());
            }
        }
    }

    /** Sends what TLS has to say on its own. */
    private void sendUnasked(ChannelHandlerContext ctx) {
        if (ctx.channel().isWritable()) {
            unasked = 0;
        }
        int bytes = session.pending();
        if (bytes > 0) {
            unasked += bytes;
            ByteBuf out = allocator.directBuffer(bytes);
            take(out);
            Future<?> _ = ctx.writeAndFlush(out, ctx.voidPromise());
        }
    }

    private void take(ByteBuf out) {
        int bytes = session.take(out.memoryAddress() + out.writerIndex(), out.writableBytes());
        out.writerIndex(out.writerIndex() + bytes);
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) throws SSLException {
        ByteBuf plain = (ByteBuf) msg;
        if (!plain.isReadable()) {
            ctx.write(plain, promise);
            return;
        }
        if (!plain.hasMemoryAddress()) {
            ByteBuf direct = allocator.directBuffer(plain.readableBytes()).writeBytes(plain);
            plain.release();
            plain = direct;
        }
        try {
            if (!shaken || ending || failed || !session.isOpen()) {
                throw new SSLException("TLS has not begun, or has ended");
            }
            while (plain.isReadable()) {
                ByteBuf out = encrypted(plain);
                Future<?> _ = ctx.write(out, plain.isReadable() ? ctx.voidPromise() : promise);
            }
        } finally {
            plain.release();
        }
    }

    /** The next records, in a buffer of their own. */
    private ByteBuf encrypted(ByteBuf plain) throws SSLException {
        int bytes = Math.min(plain.readableBytes(), RECORDS * PskSession.RECORD);
        int records = Math.ceilDiv(bytes, PskSession.RECORD);
        ByteBuf out = allocator.directBuffer(bytes + records * PskSession.RECORD_OVERHEAD);
        try {
            for (int left = bytes; left > 0; left -= PskSession.RECORD) {
                int record = Math.min(left, PskSession.RECORD);
                session.encrypt(plain.memoryAddress() + plain.readerIndex(), record);
                plain.skipBytes(record);
            }
            out.ensureWritable(session.pending());
            take(out);
            return out.retain();
        } finally {
            out.release();
        }
    }

    /** Says first that nothing more comes, and waits for that to leave, but not long. */
    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        if (!shaken || ending || failed || !session.isOpen()) {
            ctx.close(promise);
            return;
        }
        ending = true;
        session.end();
        ByteBuf out = allocator.directBuffer(Math.max(1, session.pending()));
        take(out);
        Future<?> late =
                ctx.executor().schedule(() -> ctx.close(promise), NbdTls.CLOSE_NOTIFY_MILLIS, TimeUnit.MILLISECONDS);
        ctx.writeAndFlush(out).addListener(sent -> {
            if (late.cancel(false)) {
                ctx.close(promise);
            }
        });
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        session.close();
    }
}
