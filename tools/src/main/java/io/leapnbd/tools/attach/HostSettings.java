package io.leapnbd.tools.attach;

import io.leapnbd.tools.host.SharedSettings;
import io.leapnbd.tools.linux.HostSetting;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Changes the machine's settings when the first device is attached and changes them back when the last one is detached.
 * {@link SharedSettings} remembers the values from before, so that this works whoever detaches.
 *
 * @param sysctl where the kernel shows its settings
 * @param directory of the state files
 */
record HostSettings(Path sysctl, Path directory) {
    private static final String HOLDER = "attach";

    /** Applies the settings that are not met yet; returns a line for each that was changed or could not be. */
    List<String> apply(List<HostSetting> settings) throws IOException {
        return shared().apply(HOLDER, settings);
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

    /** Changes back what was changed, unless something is still attached; returns a line for each. */
    List<String> restore() throws IOException {
        return AttachState.readAll(directory).isEmpty() ? shared().release(HOLDER) : List.of();
    }

    private SharedSettings shared() {
        return new SharedSettings(sysctl, directory);
    }
}
