package io.leapnbd.donor.store;

/**
 * One link's right to an export: the epoch that its hello named. Closing it says that the link is gone; with the last link of
 * an export's current epoch its lease begins.
 *
 * <p>May be used from any thread. A claim with epoch 0 only observes: all but {@link SlabStore#list} is refused with
 * {@link io.leapnbd.donor.protocol.Status#NOT_CLAIMED}.
 */
public final class Claim implements AutoCloseable {

    Claim() {}

    @Override
    public void close() {}
}
