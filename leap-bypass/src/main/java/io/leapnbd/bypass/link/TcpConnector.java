package io.leapnbd.bypass.link;

import io.leapnbd.donor.tls.LinkTls;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A donor that is reached over TCP. */
public final class TcpConnector implements DonorConnector {

    private final Donor donor;
    private final DonorAddress address;
    private final Duration timeout;
    private final ByteBufAllocator buffers;
    private final @Nullable LinkTls tls;

    /**
     * Connects nothing yet.
     *
     * @param buffers where links take them from
     * @param timeout how long a connection, and each answer of a conversation, may take
     * @param tls who the donor has to show to be, and who this server is; null for neither
     */
    public TcpConnector(
            Donor donor, DonorAddress address, Duration timeout, ByteBufAllocator buffers, @Nullable LinkTls tls) {
        this.donor = donor;
        this.address = address;
        this.timeout = timeout;
        this.buffers = buffers;
        this.tls = tls;
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos) {
        DonorResolver resolver = new DonorResolver(address, loop);
        ReconnectingLink link = new ReconnectingLink(
                loop,
                lane,
                donor,
                of -> new TcpSession(
                        of, loop, resolver, settings.connectTimeout(), settings.bulkWindow(), buffers, tls),
                settings,
                requestTimeoutNanos);
        link.connect();
        return link;
    }

    @Override
    public Conversation talk(String export) throws IOException {
        return new ProtocolConversation(SocketExchange.connect(address.resolveAll(), timeout, tls));
    }
}
