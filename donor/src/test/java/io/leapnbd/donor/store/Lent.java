package io.leapnbd.donor.store;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;

/** One slab with its store and claim, and requests on it in short. */
record Lent(SlabStore store, Claim claim, int handle, long epoch) {

    static Claim claim(SlabStore store, String export, long epoch) {
        Admission admission = store.hello(Hellos.claim(export, epoch));
        assertThat(admission.status()).isEqualTo(Status.OK);
        return requireNonNull(admission.claim());
    }

    static Lent grant(SlabStore store, String export, long epoch, int index) {
        return grant(store, claim(store, export, epoch), epoch, index);
    }

    static Lent grant(SlabStore store, Claim claim, long epoch, int index) {
        Granted granted = store.grant(claim, index, Version.first(epoch));
        assertThat(granted.status()).isEqualTo(Status.OK);
        assertThat(granted.handle()).isPositive();
        return new Lent(store, claim, granted.handle(), epoch);
    }

    Lent as(Claim other, long otherEpoch) {
        return new Lent(store, other, handle, otherEpoch);
    }

    long version(long count) {
        return Version.first(epoch) + count;
    }

    /** Writes bytes of a seed. */
    byte write(int offset, int length, long count, long seed) {
        ByteBuf from = Pages.bytes(seed, length);
        try {
            return store.write(claim, handle, offset, length, version(count), from, 0);
        } finally {
            from.release();
        }
    }

    byte trim(int offset, int length, long count) {
        return store.trim(claim, handle, offset, length, version(count));
    }

    byte[] read(int offset, int length) {
        ByteBuf into = Pages.rubbish(length);
        try {
            assertThat(store.read(claim, handle, offset, length, into, 0)).isEqualTo(Status.OK);
            return Pages.content(into);
        } finally {
            into.release();
        }
    }

    byte tryRead(int offset, int length) {
        ByteBuf into = Pages.rubbish(Math.max(0, length));
        try {
            return store.read(claim, handle, offset, length, into, 0);
        } finally {
            into.release();
        }
    }
}
