package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import java.util.function.Consumer;

/** In the place of the link to a donor that was removed: nothing gets there. */
final class RemovedLink implements DonorLink {

    private final Donor donor;

    RemovedLink(Donor donor) {
        this.donor = donor;
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public boolean ready() {
        return false;
    }

    @Override
    public void post(LinkRequest request) {
        request.refuse();
    }

    @Override
    public void promote(LinkRequest request) {
        // Nothing waits here.
    }

    @Override
    public void flush() {
        // Nothing is held back.
    }

    @Override
    public void tick(long now) {
        // Nothing waits here.
    }

    @Override
    public void each(Consumer<LinkRequest> to) {
        // Nothing was posted here.
    }

    @Override
    public void close() {
        // There is no connection.
    }
}
