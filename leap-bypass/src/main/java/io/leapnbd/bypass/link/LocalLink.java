package io.leapnbd.bypass.link;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Granted;
import io.leapnbd.donor.store.SlabStore;

/** A link that is a method call: every request is done when {@link #post} returns. */
final class LocalLink implements DonorLink {

    private final Donor donor;
    private final SlabStore store;
    private final Claim claim;
    private boolean closed;

    LocalLink(Donor donor, SlabStore store, Claim claim) {
        this.donor = donor;
        this.store = store;
        this.claim = claim;
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public boolean ready() {
        return !closed;
    }

    @Override
    public void post(LinkRequest request) {
        request.postNanos = request.startNanos;
        Outcome outcome = closed ? Outcome.UNREACHABLE : Outcome.of(perform(request));
        request.finish(outcome, System.nanoTime());
    }

    private byte perform(LinkRequest r) {
        return switch (r.operation) {
            case Operation.READ -> store.read(claim, r.slab, r.offset, r.length, r.data(), r.bufferIndex);
            case Operation.WRITE -> store.write(claim, r.slab, r.offset, r.length, r.version, r.data(), r.bufferIndex);
            case Operation.TRIM -> store.trim(claim, r.slab, r.offset, r.length, r.version);
            case Operation.GRANT -> {
                long[] lost = r.lost;
                Granted granted = lost == null
                        ? store.grant(claim, r.slab, r.version)
                        : store.grant(claim, r.slab, r.version, lost);
                r.incarnation = store.incarnation();
                r.grantedHandle = granted.handle();
                donor.freeSlabs(store.freeSlabs());
                yield granted.status();
            }
            case Operation.NOTE -> store.note(claim, r.version, r.data().nioBuffer(r.bufferIndex, r.length));
            case Operation.FREE -> store.free(claim, r.slab);
            case Operation.PING -> claim.fenced() ? Status.FENCED : Status.OK;
            default -> Status.BAD_REQUEST;
        };
    }

    /** Nothing ever waits here. */
    @Override
    public void promote(LinkRequest request) {}

    @Override
    public void flush() {}

    @Override
    public void tick(long now) {}

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            donor.linkDown("closed", false);
            claim.close();
        }
    }
}
