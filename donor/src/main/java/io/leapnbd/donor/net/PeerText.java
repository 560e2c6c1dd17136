package io.leapnbd.donor.net;

import io.netty.util.NetUtil;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/** Where the other end of a link is, in the words of a log. */
final class PeerText {

    private PeerText() {}

    /** Like {@code 10.0.0.3:41122} or {@code [fe80::1]:41122}. */
    static String of(@Nullable SocketAddress peer) {
        return peer instanceof InetSocketAddress inet && inet.getAddress() != null
                ? NetUtil.toSocketAddressString(inet)
                : String.valueOf(peer);
    }
}
