package io.leapnbd.tools.linux;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.UUID;

/**
 * A machine and one boot of it, so that a note left on an export can be told apart: from this boot, from before a reboot, or from
 * another machine. Also what this machine is called elsewhere.
 *
 * <p>There are two numbers of a machine. Notes have {@link #id}, which tells copies of a virtual machine apart. Donors and exports have
 * {@link #number}, which stays when firmware or host name change, and which an operator can set.
 *
 * @param id made from the machine id, the firmware's product id and the host name: copies of a virtual machine share the first
 * @param boot random number of this boot, from the kernel
 * @param name host name, for people
 */
public record Machine(UUID id, UUID boot, String name) {

    private static final Path MACHINE_ID = Path.of("/etc/machine-id");
    private static final Path PRODUCT_ID = Path.of("/sys/class/dmi/id/product_uuid");
    private static final Path HOST_NAME = Path.of("/proc/sys/kernel/hostname");
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

    /** Names another machine, so that two can be tried out on one. */
    private static final String OVERRIDE = "LEAP_NBD_MACHINE_ID";

    private static final int DIGITS = 8;
    private static final int LONGEST_HOST = 64;

    /** The one that this process runs on. What it does not tell counts as empty. */
    public static Machine here() {
        String name = KernelFile.read(HOST_NAME).orElse("").replaceAll("[^A-Za-z0-9._-]", "_");
        String all = KernelFile.read(MACHINE_ID).orElse("")
                + '\n'
                + KernelFile.read(PRODUCT_ID).orElse("")
                + '\n'
                + name;
        return new Machine(
                UUID.nameUUIDFromBytes(all.getBytes(StandardCharsets.UTF_8)),
                KernelFile.read(BOOT_ID).map(UUID::fromString).orElse(new UUID(0, 0)),
                name);
    }

    /**
     * Who this machine is to donors, which must not give one machine's pages to another. Made from the machine-id, and not the
     * machine-id itself, which machine-id(5) wants to be kept to the machine. A machine without one, as a container may be, is told
     * apart by its name.
     */
    public static UUID number() {
        String id = System.getenv(OVERRIDE);
        if (id == null || id.isBlank()) {
            id = KernelFile.read(MACHINE_ID).filter(text -> !text.isBlank()).orElseGet(Machine::hostName);
        }
        return UUID.nameUUIDFromBytes(("leap-nbd machine " + id.strip()).getBytes(StandardCharsets.UTF_8));
    }

    /** An export's name that nobody else uses: this machine's host name and some digits of its number. */
    public static String defaultExport() {
        return hostName() + "-" + number().toString().replace("-", "").substring(0, DIGITS);
    }

    /** This process, for people on other machines. */
    public static String process() {
        return hostName() + ", process " + ProcessHandle.current().pid();
    }

    /** This machine's name, as the kernel has it. */
    public static String hostName() {
        String name = KernelFile.read(HOST_NAME).orElseGet(Machine::nameByAddress);
        return name.substring(0, Math.min(name.length(), LONGEST_HOST));
    }

    private static String nameByAddress() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            return "host";
        }
    }
}
