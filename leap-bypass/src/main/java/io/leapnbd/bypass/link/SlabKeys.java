package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.SlabKey;
import java.util.Arrays;

/**
 * Where the memory of slabs is for RDMA reads, by handle: an open-addressed table. Looking up allocates nothing. For one thread.
 */
final class SlabKeys {

    /** What {@link #find} answers for a slab that nobody has asked about. */
    static final int UNKNOWN = -1;

    /** Handles are above zero. */
    private static final int FREE = 0;

    private int[] handles = new int[64];
    private long[] addresses = new long[64];
    private int[] keys = new int[64];
    private int size;

    /** A place for {@link #address} and {@link #key}, or {@link #UNKNOWN}. */
    int find(int handle) {
        int mask = handles.length - 1;
        for (int at = hash(handle) & mask; ; at = at + 1 & mask) {
            if (handles[at] == handle) {
                return at;
            }
            if (handles[at] == FREE) {
                return UNKNOWN;
            }
        }
    }

    /** Address of the slab's first byte; 0 as long as it is asked for, or if it is not to be had. */
    long address(int place) {
        return addresses[place];
    }

    int key(int place) {
        return keys[place];
    }

    /** Notes that a slab is being asked for. */
    void asked(int handle) {
        put(handle, 0, 0);
    }

    void put(int handle, SlabKey key) {
        put(handle, key.address(), key.key());
    }

    private void put(int handle, long address, int key) {
        int known = find(handle);
        if (known != UNKNOWN) {
            addresses[known] = address;
            keys[known] = key;
            return;
        }
        if (2 * size >= handles.length) {
            grow();
        }
        int mask = handles.length - 1;
        int at = hash(handle) & mask;
        while (handles[at] != FREE) {
            at = at + 1 & mask;
        }
        handles[at] = handle;
        addresses[at] = address;
        keys[at] = key;
        size++;
    }

    private void grow() {
        int[] oldHandles = handles;
        long[] oldAddresses = addresses;
        int[] oldKeys = keys;
        handles = new int[oldHandles.length * 2];
        addresses = new long[handles.length];
        keys = new int[handles.length];
        size = 0;
        for (int i = 0; i < oldHandles.length; i++) {
            if (oldHandles[i] != FREE) {
                put(oldHandles[i], oldAddresses[i], oldKeys[i]);
            }
        }
    }

    void clear() {
        Arrays.fill(handles, FREE);
        size = 0;
    }

    private static int hash(int handle) {
        int mixed = handle * 0x9E3779B9;
        return mixed ^ mixed >>> 16;
    }
}
