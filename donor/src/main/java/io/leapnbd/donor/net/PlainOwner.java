package io.leapnbd.donor.net;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * Who a link is of that has shown nothing: whoever has its address. All servers of one machine are one such owner, and so are all behind one
 * address translation.
 */
final class PlainOwner {

    private PlainOwner() {}

    /** A name for it, of at most 255 bytes, like {@code anonymous@10.0.0.3}. */
    static String of(@Nullable SocketAddress peer) {
        if (peer instanceof InetSocketAddress inet && inet.getAddress() != null) {
            String address = inet.getAddress().getHostAddress();
            int scope = address.indexOf('%');
            return "anonymous@" + (scope < 0 ? address : address.substring(0, scope));
        }
        return "anonymous";
    }
}
