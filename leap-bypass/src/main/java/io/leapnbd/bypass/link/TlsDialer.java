package io.leapnbd.bypass.link;

import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.RdmaConnection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.MessageTls;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** The way to a donor of a pool: {@link TlsOverRdma} on each connection. */
final class TlsDialer implements RdmaDialer {

    private final RdmaDialer plain;
    private final LinkTls tls;
    private final @Nullable Executor loop;

    /**
     * Dials nothing yet.
     *
     * @param plain makes connections
     * @param tls who both ends have to show to be
     * @param loop the thread of connections, if that has to answer others while certificates are looked at; null if it may wait
     */
    TlsDialer(RdmaDialer plain, LinkTls tls, @Nullable Executor loop) {
        this.plain = plain;
        this.tls = tls;
        this.loop = loop;
    }

    @Override
    public RdmaConnection dial(InetSocketAddress to, RdmaClient.Shape shape, RdmaPeerEvents events) throws IOException {
        RdmaClient.Shape encrypted = new RdmaClient.Shape(
                shape.mostReads(), shape.sends(), shape.receives(), MessageTls.sealedLength(shape.frameBytes()));
        TlsOverRdma layer = new TlsOverRdma(tls, tls.messages(shape.frameBytes()), loop, events);
        boolean dialled = false;
        try {
            layer.over(plain.dial(to, encrypted, layer));
            dialled = true;
        } finally {
            if (!dialled) {
                layer.close();
            }
        }
        return layer;
    }
}
