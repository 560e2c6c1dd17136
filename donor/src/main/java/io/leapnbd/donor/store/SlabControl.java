package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.SlabCopies;
import java.nio.ByteBuffer;

/** What a server asks of a store in its own process while it takes an export. */
public interface SlabControl {

    /** {@link SlabStore#hello(Hello, Runnable)}. */
    Admission hello(Hello hello, Runnable onFenced);

    /** {@link SlabStore#list(Claim, int)}. */
    Listing list(Claim claim, int fromIndex);

    /** {@link SlabStore#pages}. */
    MarkedPages pages(Claim claim, int handle, int offset, int length);

    /** {@link SlabStore#place}. */
    byte place(Claim claim, int handle, long generation, SlabCopies copies);

    /** {@link SlabStore#free}. */
    byte free(Claim claim, int handle, long generation);

    /** {@link SlabStore#note}. */
    byte note(Claim claim, long version, ByteBuffer note);
}
