package io.leapnbd.tools.linux;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.UUID;

/**
 * This machine and its present boot, so that a note left on an export can be told apart: from this boot, from before a
 * reboot, or from another machine.
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
}
