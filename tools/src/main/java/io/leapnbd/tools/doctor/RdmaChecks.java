package io.leapnbd.tools.doctor;

import io.leapnbd.donor.rdma.Rdma;
import io.leapnbd.donor.verbs.VerbsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Whether this process can use the RDMA device, if there is one: its libraries are loaded and tried. */
final class RdmaChecks {

    private RdmaChecks() {}

    static List<Check> all() {
        if (!Files.exists(Path.of("/dev/infiniband"))) {
            return List.of();
        }
        try {
            Rdma.require();
            return List.of(Check.ok("RDMA libraries", "loaded and tried"));
        } catch (VerbsException e) {
            return List.of(Check.warn("RDMA libraries", "not usable", String.valueOf(e.getMessage())));
        }
    }
}
