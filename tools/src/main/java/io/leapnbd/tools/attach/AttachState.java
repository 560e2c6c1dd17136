package io.leapnbd.tools.attach;

import io.leapnbd.tools.linux.KernelFile;
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
 * @param swap whether the device is swapped on
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
        boolean swap) {
    /** Where the files are. */
    static final Path DIRECTORY = Path.of("/run/leap-nbd");

    private static final String PREFIX = "attach-";

    /** What this process has just attached. */
    static AttachState ofThisProcess(Path device, AttachOptions options, ExportInfo info) {
        long pid = ProcessHandle.current().pid();
        return new AttachState(
                device,
                pid,
                started(pid).orElse(0L),
                options.server().uri(),
                info.content().orElse(""),
                info.size(),
                info.flags(),
                options.connections(),
                options.swap());
    }

    /** The same, with this process as the resident one. */
    AttachState takenOver() {
        long own = ProcessHandle.current().pid();
        return new AttachState(device, own, started(own).orElse(0L), uri, content, size, flags, connections, swap);
    }

    /** What the server said when the device was attached. */
    ExportInfo export() {
        return new ExportInfo(size, flags, content.isEmpty() ? "" : "content=" + content);
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
        properties.setProperty("swap", Boolean.toString(swap));
        StringWriter text = new StringWriter();
        properties.store(text, "an attached leap-nbd device; leap-nbd detach undoes it");
        Files.createDirectories(directory);
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
                    Boolean.parseBoolean(properties.getProperty("swap", "")));
        } catch (NumberFormatException e) {
            throw new IOException(file + " is damaged; remove it when nothing is attached", e);
        }
    }

    /** Whether the resident process lives. */
    boolean isAlive() {
        return started(pid).map(ticks -> ticks == started).orElse(false);
    }

    /** When a process started, in clock ticks since boot: field 22 of its stat file. */
    static Optional<Long> started(long pid) {
        return KernelFile.read(Path.of("/proc/" + pid + "/stat")).flatMap(AttachState::startedIn);
    }

    /** The command name, in parentheses, may hold spaces and parentheses itself. */
    static Optional<Long> startedIn(String stat) {
        String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", -1);
        return fields.length > 19 ? Optional.of(Long.parseLong(fields[19])) : Optional.empty();
    }
}
