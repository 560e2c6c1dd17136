package io.leapnbd.nbd.server;

import io.leapnbd.nbd.tls.TlsFolder;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * TLS for clients that ask for it ("NBD_OPT_STARTTLS"), with certificates on both sides. Certificates are looked at by a thread of its
 * own, since that takes a millisecond or two, in which a loop would answer nobody. Any thread.
 */
public final class NbdTls implements AutoCloseable {

    /** Handshakes that wait for that thread; the next one fails. */
    static final int WAITING = 256;

    /** How long an end may wait until the client has taken the message of it. */
    private static final long CLOSE_NOTIFY_MILLIS = 1_000;

    private final SslContext context;
    private final boolean required;
    private final ThreadPoolExecutor verifier;

    private NbdTls(SslContext context, boolean required) {
        this.context = context;
        this.required = required;
        verifier = new ThreadPoolExecutor(
                1,
                1,
                1,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(WAITING),
                task -> Thread.ofPlatform().daemon().name("nbd-certificates").unstarted(task));
    }

    /**
     * With the certificates of a folder, which are read now.
     *
     * @param required whether clients over TCP have to use it. Over a Unix socket nobody has to: it does not leave the machine
     * @throws IOException in one sentence, if the files are not there or not in order
     */
    public static NbdTls of(TlsFolder folder, boolean required) throws IOException {
        return new NbdTls(folder.server(), required);
    }

    boolean required() {
        return required;
    }

    /** For one connection, on its loop. */
    SslHandler handler(ByteBufAllocator allocator) {
        SslHandler handler = context.newHandler(allocator, verifier);
        handler.setCloseNotifyFlushTimeoutMillis(CLOSE_NOTIFY_MILLIS);
        return handler;
    }

    /** To be called when the servers that use it are closed. */
    @Override
    public void close() {
        verifier.shutdownNow();
        boolean _ = ReferenceCountUtil.release(context);
    }
}
