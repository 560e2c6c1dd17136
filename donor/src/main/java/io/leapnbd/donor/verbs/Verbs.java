package io.leapnbd.donor.verbs;

import io.leapnbd.donor.linux.NativeCalls;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The verbs of this machine's libraries: objects are the addresses of the library's structures. Whoever holds an address has to
 * know that its object still is; a wrong one ends the process.
 */
public final class Verbs {

    /** What to install on a Debian or Ubuntu machine. */
    public static final String REMEDY = "apt-get install rdma-core ibverbs-providers librdmacm1 libibverbs1";

    private static @Nullable Verbs loaded;

    private final ConnectionVerbs connections;
    private final DeviceVerbs devices;

    private Verbs() throws VerbsException {
        try {
            devices = new DeviceVerbs(NativeCalls.load("libibverbs.so.1"));
            connections = new ConnectionVerbs(NativeCalls.load("librdmacm.so.1"), devices);
        } catch (IOException e) {
            throw new VerbsException("RDMA is not possible here: " + e.getMessage() + "; " + REMEDY, e);
        }
    }

    /**
     * The libraries of this machine.
     *
     * @throws VerbsException if they are not installed
     */
    public static synchronized Verbs load() throws VerbsException {
        Verbs verbs = loaded;
        if (verbs == null) {
            verbs = new Verbs();
            loaded = verbs;
        }
        return verbs;
    }

    /** Of {@code librdmacm}. */
    public ConnectionVerbs connections() {
        return connections;
    }

    /** Of {@code libibverbs}. */
    public DeviceVerbs devices() {
        return devices;
    }
}
