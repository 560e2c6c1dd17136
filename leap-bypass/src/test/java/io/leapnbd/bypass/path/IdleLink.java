package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.IgnoringListener;
import io.leapnbd.bypass.link.LinkRequest;
import java.util.function.Consumer;

/** A link of its own donor that is never connected; a test overrides what its link does. */
class IdleLink implements DonorLink {

    private final Donor donor = new Donor("test", new IgnoringListener());

    @Override
    public final Donor donor() {
        return donor;
    }

    @Override
    public boolean ready() {
        return false;
    }

    @Override
    public void post(LinkRequest request) {
        throw new AssertionError("not connected");
    }

    @Override
    public void promote(LinkRequest request) {}

    @Override
    public void flush() {}

    @Override
    public void tick(long now) {}

    @Override
    public void each(Consumer<LinkRequest> to) {}

    @Override
    public void close() {}
}
