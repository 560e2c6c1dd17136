package io.leapnbd.tools.attach;

import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Changes the machine's settings when the first device is attached and changes them back when the last one is detached.
 * The values from before are in a file, so that this works whoever detaches.
 */
final class HostSettings {
    private static final String FILE = "sysctl";

    private HostSettings() {}

    /** Applies the settings that are not met yet; returns a line for each that was changed or could not be. */
    static List<String> apply(List<HostSetting> settings, Path directory) throws IOException {
        List<String> lines = new ArrayList<>();
        List<String> before = new ArrayList<>();
        for (HostSetting setting : settings) {
            Optional<Long> current = setting.current();
            if (current.isEmpty() || setting.isMetBy(current.get())) {
                continue;
            }
            try {
                KernelFile.write(setting.file(), Long.toString(setting.wanted()));
                before.add(setting.name() + "=" + current.get());
                lines.add("set " + setting.name() + " = " + setting.wanted() + " (was " + current.get() + "): "
                        + setting.why());
            } catch (IOException e) {
                lines.add("cannot set " + setting.name() + " = " + setting.wanted() + " (is " + current.get() + "): "
                        + setting.why() + "; run as root, or: sysctl -w " + setting.name() + "=" + setting.wanted());
            }
        }
        remember(before, directory);
        return lines;
    }

    /** What an earlier attach remembered stays: its values are the ones from before us. */
    private static void remember(List<String> before, Path directory) throws IOException {
        if (before.isEmpty()) {
            return;
        }
        Files.createDirectories(directory);
        Path file = directory.resolve(FILE);
        List<String> lines = Files.exists(file) ? new ArrayList<>(Files.readAllLines(file)) : new ArrayList<>();
        for (String line : before) {
            String key = line.substring(0, line.indexOf('=') + 1);
            if (lines.stream().noneMatch(known -> known.startsWith(key))) {
                lines.add(line);
            }
        }
        Files.write(file, lines);
    }

    /** Changes back what was changed, unless something is still attached; returns a line for each. */
    static List<String> restore(Path directory) throws IOException {
        Path file = directory.resolve(FILE);
        if (!Files.exists(file) || !AttachState.readAll(directory).isEmpty()) {
            return List.of();
        }
        List<String> lines = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            int equals = line.indexOf('=');
            if (equals > 0) {
                HostSetting setting = new HostSetting(line.substring(0, equals), HostSetting.Bound.AT_LEAST, 0, "");
                KernelFile.write(setting.file(), line.substring(equals + 1));
                lines.add("set " + setting.name() + " back to " + line.substring(equals + 1));
            }
        }
        Files.delete(file);
        return lines;
    }
}
