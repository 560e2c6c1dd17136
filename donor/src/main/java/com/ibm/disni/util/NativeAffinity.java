package com.ibm.disni.util;

import io.leapnbd.donor.linux.Processors;

/** Takes the place of DiSNI's class of this name, which loads a library that nobody packages. */
public class NativeAffinity {

    /** DiSNI's has one, too. */
    public NativeAffinity() {}

    /** Binds the calling thread to processors: bit n of the mask is processor n. Does nothing if the kernel refuses. */
    public static void setAffinity(long mask) {
        int _ = Processors.setAffinity(mask);
    }

    /** The processors that the calling thread is bound to. */
    public static long getAffinity() {
        return Processors.affinity();
    }
}
