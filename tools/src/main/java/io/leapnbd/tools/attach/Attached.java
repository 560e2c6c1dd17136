package io.leapnbd.tools.attach;

import io.leapnbd.tools.client.ExportInfo;
import io.leapnbd.tools.linux.SwapArea;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * A device that is set up, with what is known of it: from its state file if that is of this device, else from the kernel's own
 * note.
 *
 * @param device as the kernel shows it
 * @param known what it is connected to; nothing for a device that leap-nbd did not attach
 * @param resident the process that keeps it connected; nothing when there is none any more
 * @param swapping whether it is in use as swap
 */
record Attached(NbdDevice device, Optional<DeviceIdentity> known, Optional<Long> resident, boolean swapping) {

    /** All devices of this machine that are set up. */
    static List<Attached> all(Path sysBlock, Path directory, List<SwapArea> swaps) throws IOException {
        List<Attached> all = new ArrayList<>();
        for (NbdDevice device : NbdDevice.all(sysBlock)) {
            all.add(of(device, directory, swaps));
        }
        return all;
    }

    static Attached of(NbdDevice device, Path directory, List<SwapArea> swaps) throws IOException {
        Optional<AttachState> state = AttachState.read(directory, device.path()).filter(read -> read.isOf(device));
        return new Attached(
                device,
                state.map(AttachState::identity).or(() -> DeviceIdentity.parse(device.backend())),
                state.filter(AttachState::isAlive).map(AttachState::pid),
                swaps.stream().anyMatch(area -> area.device().equals(device.path())));
    }

    Path path() {
        return device.path();
    }

    Optional<UUID> swap() {
        return known.flatMap(DeviceIdentity::swap);
    }

    String uri() {
        return known.map(DeviceIdentity::uri).orElse("an unknown server");
    }

    /** What the server said when the device was attached; only of a device that is known. */
    ExportInfo export() {
        DeviceIdentity identity = known.orElseThrow();
        return new ExportInfo(
                device.bytes(), identity.flags(), identity.content().isEmpty() ? "" : "content=" + identity.content());
    }
}
