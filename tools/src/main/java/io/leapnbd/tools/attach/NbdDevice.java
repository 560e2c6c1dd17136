package io.leapnbd.tools.attach;

import io.leapnbd.tools.linux.KernelFile;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * An nbd device that is set up, whether or not its server lives, as the kernel shows it below {@code /sys/block}.
 *
 * @param index the N of /dev/nbdN
 * @param bytes its size
 * @param connector process that has set it up, by the kernel's number; it may have ended long ago
 * @param backend what it was told that it is connected to, see {@link DeviceIdentity}; empty when it was told nothing
 * @param connections how many
 */
record NbdDevice(int index, long bytes, long connector, String backend, int connections) {
    /** Where the kernel shows block devices. */
    static final Path SYS_BLOCK = Path.of("/sys/block");

    private static final int SECTOR = 512;

    Path path() {
        return Path.of("/dev/nbd" + index);
    }

    /** This device, if it is set up. */
    static Optional<NbdDevice> of(Path sysBlock, int index) {
        Path folder = sysBlock.resolve("nbd" + index);
        // The file is there from the first connection until the device is disconnected.
        return KernelFile.readLong(folder.resolve("pid"))
                .map(connector -> new NbdDevice(
                        index,
                        KernelFile.readLong(folder.resolve("size")).orElse(0L) * SECTOR,
                        connector,
                        KernelFile.read(folder.resolve("backend")).orElse(""),
                        queues(folder.resolve("mq"))));
    }

    /** All that are set up, by number. */
    static List<NbdDevice> all(Path sysBlock) throws IOException {
        List<NbdDevice> devices = new ArrayList<>();
        if (Files.isDirectory(sysBlock)) {
            try (DirectoryStream<Path> folders = Files.newDirectoryStream(sysBlock, "nbd*")) {
                for (Path folder : folders) {
                    String number = folder.getFileName().toString().substring(3);
                    if (number.matches("\\d{1,6}")) {
                        of(sysBlock, Integer.parseInt(number)).ifPresent(devices::add);
                    }
                }
            }
        }
        devices.sort(Comparator.comparingInt(NbdDevice::index));
        return devices;
    }

    /** The driver has one hardware queue for each connection. */
    private static int queues(Path folder) {
        int queues = 0;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(folder)) {
            for (Path queue : all) {
                queues += Files.isDirectory(queue) ? 1 : 0;
            }
        } catch (IOException e) {
            return 1;
        }
        return Math.max(1, queues);
    }
}
