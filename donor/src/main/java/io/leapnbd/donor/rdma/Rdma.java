package io.leapnbd.donor.rdma;

import com.ibm.disni.verbs.IbvContext;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaEventChannel;
import com.ibm.disni.verbs.impl.NatCmaIdPrivate;
import com.ibm.disni.verbs.impl.NatIbvContext;
import com.ibm.disni.verbs.impl.NatRdmaEventChannel;
import com.ibm.disni.verbs.impl.NativeDispatcher;
import io.leapnbd.donor.verbs.ConnectionVerbs;
import io.leapnbd.donor.verbs.Verbs;
import io.leapnbd.donor.verbs.VerbsCheck;
import io.leapnbd.donor.verbs.VerbsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Whether there is RDMA here, and what DiSNI does not tell. */
public final class Rdma {

    private static final Path DEVICES = Path.of("/sys/class/infiniband");
    private static final Path CONNECTIONS = Path.of("/dev/infiniband/rdma_cm");

    /** Set by the launcher when DiSNI's own native half was asked for. */
    private static final String OWN_LIBRARY = "leapnbd.libdisni";

    private Rdma() {}

    /**
     * Checks that there is a device and that its libraries are as they are known here.
     *
     * @throws VerbsException in one sentence that says what is missing and what to do
     */
    public static void require() throws VerbsException {
        if (!foreign() && !Boolean.getBoolean(OWN_LIBRARY)) {
            throw new VerbsException("DiSNI's jar comes before leap-nbd's own on the class path; start ./leap-nbd");
        }
        if (!hasDevice()) {
            throw new VerbsException("there is no RDMA device on this machine (" + DEVICES
                    + " is empty): a network card with RDMA needs its driver and " + Verbs.REMEDY
                    + "; any other can pretend with: modprobe rdma_rxe && rdma link add rxe0 type rxe netdev eth0");
        }
        if (!Files.exists(CONNECTIONS)) {
            throw new VerbsException(CONNECTIONS + " is missing: modprobe rdma_ucm");
        }
        if (!Files.isWritable(CONNECTIONS)) {
            throw new VerbsException(CONNECTIONS + " may not be opened by this user: run as root, or join its group");
        }
        VerbsCheck.run(Verbs.load());
    }

    /** Whether {@link #announcement} knows anything: DiSNI's own native half has no place for it. */
    public static boolean seesAnnouncements() {
        return foreign();
    }

    private static boolean foreign() {
        try {
            return NativeDispatcher.foreign();
        } catch (NoSuchMethodError e) {
            return false;
        }
    }

    private static boolean hasDevice() {
        if (!Files.isDirectory(DEVICES)) {
            return false;
        }
        try (Stream<Path> devices = Files.list(DEVICES)) {
            return devices.findAny().isPresent();
        } catch (IOException e) {
            return false;
        }
    }

    /** What to wait on until a channel has an event. */
    public static int descriptor(RdmaEventChannel channel) {
        return ConnectionVerbs.descriptor(((NatRdmaEventChannel) channel).getObjId());
    }

    /** Tells devices apart: the same number for the same device. */
    public static long device(IbvContext context) {
        return ((NatIbvContext) context).getObjId();
    }

    /** Most reads that a queue pair of a device can have under way. */
    public static int readsInFlight(IbvContext context) throws IOException {
        return Verbs.load().devices().deviceLimits(device(context)).readsInFlight();
    }

    /** What the peer that wants to connect has sent along, once. */
    public static byte[] announcement(RdmaCmId id) throws VerbsException {
        return Verbs.load().connections().takePrivateData(((NatCmaIdPrivate) id).getObjId());
    }
}
