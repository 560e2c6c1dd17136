package io.leapnbd.bypass.link;

/** Is told of slabs one by one, so that a list of any length takes no memory. */
@FunctionalInterface
public interface SlabSink {

    /**
     * A slab that a donor holds.
     *
     * @param index which part of the device it holds
     * @param handle what the donor calls it
     * @param grantVersion version of its grant
     * @param touched whether a write or trim has ever reached it
     */
    void on(int index, int handle, long grantVersion, boolean touched);
}
