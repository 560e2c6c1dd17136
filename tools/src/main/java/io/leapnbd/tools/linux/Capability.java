package io.leapnbd.tools.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The capabilities that are asked about, with their bit in linux/capability.h. */
public enum Capability {
    CAP_IPC_LOCK(14),
    CAP_SYS_ADMIN(21),
    CAP_SYS_NICE(23),
    CAP_SYS_RESOURCE(24);

    private final int bit;

    Capability(int bit) {
        this.bit = bit;
    }

    /** Whether this process has it in effect. */
    public boolean held() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("CapEff:")) {
                    return heldIn(Long.parseUnsignedLong(line.substring(7).strip(), 16));
                }
            }
            return false;
        } catch (IOException | NumberFormatException e) {
            return false;
        }
    }

    boolean heldIn(long effective) {
        return (effective >>> bit & 1) != 0;
    }
}
