package io.leapnbd.nbd.server;

import io.leapnbd.nbd.Printable;
import io.leapnbd.nbd.tls.TlsFolder;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/**
 * Certificates on both sides, by BoringSSL. Certificates are looked at by a thread of its own, since that takes a millisecond or two, in which a
 * loop would answer nobody.
 */
final class CertificateTls implements TlsMethod {

    /** Handshakes that wait for that thread; the next one fails. */
    static final int WAITING = 256;

    private final SslContext context;
    private final ThreadPoolExecutor verifier;

    /**
     * With the certificates of a folder, which are read now.
     *
     * @throws IOException in one sentence, if the files are not there or not in order
     */
    CertificateTls(TlsFolder folder) throws IOException {
        context = folder.server();
        verifier = new ThreadPoolExecutor(
                1,
                1,
                1,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(WAITING),
                task -> Thread.ofPlatform().daemon().name("nbd-certificates").unstarted(task));
    }

    @Override
    public ChannelHandler handler(ByteBufAllocator allocator, Consumer<String> established) {
        SslHandler handler = context.newHandler(allocator, verifier);
        handler.setCloseNotifyFlushTimeoutMillis(NbdTls.CLOSE_NOTIFY_MILLIS);
        handler.handshakeFuture().addListener(done -> {
            if (done.isSuccess()) {
                established.accept(describe(handler));
            }
        });
        return handler;
    }

    private static String describe(SslHandler handler) {
        SSLSession session = handler.engine().getSession();
        try {
            return session.getProtocol() + " with "
                    + Printable.of(session.getPeerPrincipal().getName());
        } catch (SSLPeerUnverifiedException e) {
            return session.getProtocol() + " with nobody";
        }
    }

    @Override
    public void close() {
        verifier.shutdownNow();
        boolean _ = ReferenceCountUtil.release(context);
    }
}
