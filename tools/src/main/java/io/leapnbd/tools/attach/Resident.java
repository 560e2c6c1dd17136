package io.leapnbd.tools.attach;

import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.service.Pulse;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The process that an attached device lives in: one of its own ({@link AttachProcess}), or its server's ({@link SwapDevice}). All
 * methods are called by the attachment's thread, in the order in which they stand here.
 */
interface Resident {

    /**
     * A device that is there.
     *
     * @param path like {@code /dev/nbd0}
     * @param server that it is connected to
     * @param export its name
     * @param adopted whether another process had attached it
     */
    record Device(Path path, Server server, String export, boolean adopted) {
        /** What comes behind its name in lines for people. */
        String how() {
            return adopted ? " (adopted)" : "";
        }
    }

    /**
     * It is certain that a device will be attached. The process is locked in memory when this returns, and forks no more.
     *
     * @return the child that will end swapping, forked before
     */
    SwapOffChild protect() throws IOException;

    /** The device is connected. From now on the process ends by {@link Ending#end}. */
    void begins(Ending ending);

    /** Whether other commands find the process by a file of its own already. */
    boolean hasRunFile();

    /**
     * The kernel has a living connection, and swaps if that was asked for.
     *
     * @param pulse of what keeps it connected
     */
    void ready(Device device, Pulse pulse);
}
