package io.leapnbd.donor.store;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;

/** One slab with its store and claim, and requests on it in short. Servers are known by a number. */
record Lent(SlabStore store, Claim claim, int handle, long server) {

    /** Joins the server's own claim, or takes the export over. */
    static Claim claim(SlabStore store, String export, long server) {
        HelloReply found = requireNonNull(store.hello(Hellos.observe(export)).reply());
        Admission admission = store.hello(Hellos.after(found, export, server));
        assertThat(admission.status()).isEqualTo(Status.OK);
        return requireNonNull(admission.claim());
    }

    static Lent grant(SlabStore store, String export, long server, int index) {
        return grant(store, claim(store, export, server), server, index);
    }

    static Lent grant(SlabStore store, Claim claim, long server, int index) {
        Granted granted = store.grant(claim, index, Version.ofGrant(server, 0));
        assertThat(granted.status()).isEqualTo(Status.OK);
        assertThat(granted.handle()).isPositive();
        return new Lent(store, claim, granted.handle(), server);
    }

    Lent as(Claim other, long otherServer) {
        return new Lent(store, other, handle, otherServer);
    }

    /** Version of a server's request, which counts from 0 here. */
    long version(long count) {
        return count + 1;
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
