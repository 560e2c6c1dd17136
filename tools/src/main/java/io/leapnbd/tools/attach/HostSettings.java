package io.leapnbd.tools.attach;

import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.KernelFile;
import io.leapnbd.tools.linux.PrivateFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Changes the machine's settings when the first device is attached and changes them back when the last one is detached.
 * The values from before are in a file, so that this works whoever detaches.
 *
 * @param sysctl where the kernel shows its settings
 * @param directory of the state files
 */
record HostSettings(Path sysctl, Path directory) {
    private static final String FILE = "sysctl";

    /** Applies the settings that are not met yet; returns a line for each that was changed or could not be. */
    List<String> apply(List<HostSetting> settings) throws IOException {
        List<String> lines = new ArrayList<>();
        List<String> before = new ArrayList<>();
        for (HostSetting setting : settings) {
            Optional<Long> current = setting.current(sysctl);
            if (current.isEmpty() || setting.isMetBy(current.get())) {
                continue;
            }
            try {
                KernelFile.write(HostSetting.file(sysctl, setting.name()), Long.toString(setting.wanted()));
                before.add(setting.name() + "=" + current.get());
                lines.add("set " + setting.name() + " = " + setting.wanted() + " (was " + current.get() + "): "
                        + setting.why());
            } catch (IOException e) {
                lines.add("cannot set " + setting.name() + " = " + setting.wanted() + " (is " + current.get() + "): "
                        + setting.why() + "; run as root, or: sysctl -w " + setting.name() + "=" + setting.wanted());
            }
        }
        remember(before);
        return lines;
    }

    /** Changes nothing; returns a line for each setting that is not met. */
    List<String> missing(List<HostSetting> settings) {
        List<String> lines = new ArrayList<>();
        for (HostSetting setting : settings) {
            Optional<Long> current = setting.current(sysctl);
            if (current.isPresent() && !setting.isMetBy(current.get())) {
                lines.add("this machine may freeze when memory is short: " + setting.name() + " is " + current.get()
                        + ": " + setting.why() + "; sysctl -w " + setting.name() + "=" + setting.wanted());
            }
        }
        return lines;
    }

    /** What an earlier attach remembered stays: its values are the ones from before us. */
    private void remember(List<String> before) throws IOException {
        if (before.isEmpty()) {
            return;
        }
        PrivateFolder.require(directory, AttachState.FOLDER_MODE);
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
    List<String> restore() throws IOException {
        Path file = directory.resolve(FILE);
        if (!Files.exists(file) || !AttachState.readAll(directory).isEmpty()) {
            return List.of();
        }
        List<String> lines = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            int equals = line.indexOf('=');
            if (equals > 0) {
                String name = line.substring(0, equals);
                KernelFile.write(HostSetting.file(sysctl, name), line.substring(equals + 1));
                lines.add("set " + name + " back to " + line.substring(equals + 1));
            }
        }
        Files.delete(file);
        return lines;
    }
}
