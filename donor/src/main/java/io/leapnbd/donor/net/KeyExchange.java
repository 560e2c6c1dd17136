package io.leapnbd.donor.net;

import io.leapnbd.donor.tls.FrameKeys;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import org.jspecify.annotations.Nullable;

/** What a donor says when a server wants a link's frames in clear, with tags. For one link, on its loop, once. */
final class KeyExchange {

    private final LinkTls tls;
    private @Nullable FrameKeys agreed;

    KeyExchange(LinkTls tls) {
        this.tls = tls;
    }

    /** What this end has drawn, to be told inside of TLS; null if it takes nothing but TLS. */
    byte @Nullable [] answer(byte[] theirs) {
        if (tls.protection() == LinkProtection.TLS) {
            return null;
        }
        byte[] ours = tls.drawShare();
        agreed = FrameKeys.of(theirs, ours);
        return ours;
    }

    /** What both ends have from the answer on; null before. */
    @Nullable
    FrameKeys agreed() {
        return agreed;
    }
}
