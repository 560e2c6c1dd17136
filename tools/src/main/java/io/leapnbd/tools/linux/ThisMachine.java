package io.leapnbd.tools.linux;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

/**
 * Who this machine is: to donors, which must not give one machine's pages to another, and to people.
 *
 * <p>The number is made from the machine-id and not the machine-id itself, which machine-id(5) wants to be kept to the machine.
 */
public final class ThisMachine {

    private static final Path MACHINE_ID = Path.of("/etc/machine-id");

    /** Names another machine, so that two can be tried out on one. */
    private static final String OVERRIDE = "LEAP_NBD_MACHINE_ID";

    private static final int DIGITS = 8;
    private static final int LONGEST_HOST = 64;

    private ThisMachine() {}

    /** Its number. */
    public static UUID number() {
        String id = System.getenv(OVERRIDE);
        if (id == null || id.isBlank()) {
            id = machineId();
        }
        return UUID.nameUUIDFromBytes(("leap-nbd machine " + id.strip()).getBytes(StandardCharsets.UTF_8));
    }

    /** The export's name that nobody else uses: its host name and some digits of its number. */
    public static String defaultExport() {
        return hostName() + "-" + number().toString().replace("-", "").substring(0, DIGITS);
    }

    /** This process, for people on other machines. */
    public static String process() {
        return hostName() + ", process " + ProcessHandle.current().pid();
    }

    private static String hostName() {
        String name;
        try {
            name = Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
        } catch (IOException e) {
            try {
                name = InetAddress.getLocalHost().getHostName();
            } catch (UnknownHostException unknown) {
                name = "host";
            }
        }
        return name.substring(0, Math.min(name.length(), LONGEST_HOST));
    }

    /** A machine without one, as a container may be, is told apart by its name. */
    private static String machineId() {
        try {
            String id = Files.readString(MACHINE_ID);
            return id.isBlank() ? hostName() : id;
        } catch (IOException e) {
            return hostName();
        }
    }
}
