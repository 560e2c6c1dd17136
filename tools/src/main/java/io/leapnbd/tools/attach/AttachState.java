package io.leapnbd.tools.attach;

import io.leapnbd.tools.linux.PrivateFolder;
import io.leapnbd.tools.linux.StartTime;
import java.io.IOException;
import java.io.Reader;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.UUID;

/**
 * What is attached, in a file {@code attach-nbdN} that outlives the resident process: enough to undo it, or to take it
 * over.
 *
 * @param device the block device
 * @param pid of the resident process
 * @param started when that process started, in clock ticks since boot, so that another with its number is not taken for it
 * @param uri of the server
 * @param content names the export's contents; empty when the server does not
 * @param size of the device in bytes
 * @param flags the export's
 * @param connections how many
 * @param swap UUID of the swap area on the device; nothing when it is not swapped on
 * @param backend what the kernel was told that the device is connected to, see {@link DeviceIdentity}
 * @param connector process that set the device up, by the kernel's number; 0 when not known
 */
record AttachState(
        Path device,
        long pid,
        long started,
        String uri,
        String content,
        long size,
        int flags,
        int connections,
        Optional<UUID> swap,
        String backend,
        long connector) {
    /** Where the files are. */
    static final Path DIRECTORY = Path.of("/run/leap-nbd");

    /** Of that folder, if it is made: {@code status} of other users looks for servers there. */
    static final String FOLDER_MODE = "rwxr-xr-x";

    private static final String PREFIX = "attach-";

    /** Of a device that this process keeps connected from now on. */
    static AttachState ofThisProcess(NbdDevice device, DeviceIdentity identity) {
        long pid = ProcessHandle.current().pid();
        return new AttachState(
                device.path(),
                pid,
                StartTime.of(pid).orElse(0L),
                identity.uri(),
                identity.content(),
                device.bytes(),
                identity.flags(),
                device.connections(),
                identity.swap(),
                device.backend(),
                device.connector());
    }

    /** Whether it is of this device, and not of one that had its number before. */
    boolean isOf(NbdDevice present) {
        return device.equals(present.path())
                && (connector == 0 || connector == present.connector())
                && (backend.isEmpty() || backend.equals(present.backend()));
    }

    DeviceIdentity identity() {
        return new DeviceIdentity(content, swap, flags, uri);
    }

    int index() {
        return indexOf(device);
    }

    /** The N of /dev/nbdN. */
    static int indexOf(Path device) {
        String name = device.toString();
        if (!name.matches("/dev/nbd\\d{1,6}")) {
            throw new IllegalArgumentException("'" + name + "' is not an nbd device: use /dev/nbd0, for example");
        }
        return Integer.parseInt(name.substring("/dev/nbd".length()));
    }

    private static Path file(Path directory, Path device) {
        return directory.resolve(PREFIX + device.getFileName());
    }

    /** Writes the file, whole or not at all. */
    void write(Path directory) throws IOException {
        Properties properties = new Properties();
        properties.setProperty("device", device.toString());
        properties.setProperty("pid", Long.toString(pid));
        properties.setProperty("started", Long.toString(started));
        properties.setProperty("uri", uri);
        properties.setProperty("content", content);
        properties.setProperty("size", Long.toString(size));
        properties.setProperty("flags", Integer.toString(flags));
        properties.setProperty("connections", Integer.toString(connections));
        properties.setProperty("swap", swap.map(UUID::toString).orElse(""));
        properties.setProperty("backend", backend);
        properties.setProperty("connector", Long.toString(connector));
        StringWriter text = new StringWriter();
        properties.store(text, "an attached leap-nbd device; leap-nbd detach undoes it");
        PrivateFolder.require(directory, FOLDER_MODE);
        Path file = file(directory, device);
        Path draft = file.resolveSibling("." + file.getFileName() + ".new");
        Files.writeString(draft, text.toString());
        Files.move(draft, file, StandardCopyOption.ATOMIC_MOVE);
    }

    static void delete(Path directory, Path device) throws IOException {
        Files.deleteIfExists(file(directory, device));
    }

    /** What is attached as this device; nothing when nothing is. */
    static Optional<AttachState> read(Path directory, Path device) throws IOException {
        Path file = file(directory, device);
        return Files.exists(file) ? Optional.of(parse(file)) : Optional.empty();
    }

    /** All that is attached. */
    static List<AttachState> readAll(Path directory) throws IOException {
        List<AttachState> states = new ArrayList<>();
        if (Files.isDirectory(directory)) {
            try (var files = Files.newDirectoryStream(directory, PREFIX + "*")) {
                for (Path file : files) {
                    states.add(parse(file));
                }
            }
        }
        return states;
    }

    private static AttachState parse(Path file) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file)) {
            properties.load(reader);
        }
        try {
            return new AttachState(
                    Path.of(properties.getProperty("device", "")),
                    Long.parseLong(properties.getProperty("pid", "")),
                    Long.parseLong(properties.getProperty("started", "")),
                    properties.getProperty("uri", ""),
                    properties.getProperty("content", ""),
                    Long.parseLong(properties.getProperty("size", "")),
                    Integer.parseInt(properties.getProperty("flags", "")),
                    Integer.parseInt(properties.getProperty("connections", "")),
                    uuid(properties.getProperty("swap", "")),
                    properties.getProperty("backend", ""),
                    Long.parseLong(properties.getProperty("connector", "0")));
        } catch (IllegalArgumentException e) {
            throw new IOException(file + " is damaged; remove it when nothing is attached", e);
        }
    }

    /** Nothing for an earlier version's "true" and "false". */
    private static Optional<UUID> uuid(String text) {
        return text.indexOf('-') < 0 ? Optional.empty() : Optional.of(UUID.fromString(text));
    }

    /** Whether the resident process lives. */
    boolean isAlive() {
        return StartTime.of(pid).map(ticks -> ticks == started).orElse(false);
    }
}
