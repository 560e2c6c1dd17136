package io.leapnbd.tools.serve;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.config.ConfigEdit;
import io.leapnbd.tools.config.ConfigException;
import io.leapnbd.tools.http.EndpointClient;
import io.leapnbd.tools.http.EndpointOptions;
import io.leapnbd.tools.http.RunFile;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Settings of a running process that are written into its file of settings.
 *
 * @param client its endpoint
 * @param file its file of settings
 * @param role its command, which names the section
 * @param instance which of several it is; null for none
 * @param keys of the settings
 */
record SavedSettings(
        EndpointClient client,
        Path file,
        String role,
        @Nullable String instance,
        Set<String> keys) {

    /** Donors that are on their way out. */
    static final String LEAVING = "leaving";

    private static final Set<String> LISTS = Set.of(DonorSettings.ALL);

    /**
     * Of some settings, before they are changed.
     *
     * @param names as {@code set} takes them
     * @throws CommandFailure if the process has no file to write them to, or that file is broken
     */
    static SavedSettings of(EndpointClient client, Collection<String> names) {
        RunFile process = EndpointOptions.runFileOf(client);
        if (process == null) {
            throw new CommandFailure(
                    ExitCode.USAGE, "--save: no process of yours on this machine answers at " + client.uri());
        }
        Path file = process.config();
        if (file == null) {
            throw new CommandFailure(
                    ExitCode.USAGE,
                    "--save: process " + process.pid()
                            + " reads no file of settings, so nothing could be written; start it with --config FILE");
        }
        Set<String> keys = new TreeSet<>();
        for (String name : names) {
            if (!name.equals(DonorSettings.LOSE_MISSING)) {
                keys.add(name.endsWith("+") || name.endsWith("-") ? name.substring(0, name.length() - 1) : name);
            }
        }
        if (keys.isEmpty()) {
            throw new CommandFailure(ExitCode.USAGE, "--save: say what to change and write, like prefetch=leap");
        }
        try {
            // Before anything is changed: what could not be saved is not set either.
            ConfigEdit.requireSound(file);
        } catch (ConfigException e) {
            throw new CommandFailure(ExitCode.USAGE, "--save: " + e.getMessage() + "; nothing was changed", e);
        }
        return new SavedSettings(client, file, process.role(), process.instance(), keys);
    }

    /** Writes those that are in force now; returns what was written, in a line. */
    String save() {
        Map<String, String> values = new LinkedHashMap<>();
        String leaving = "";
        for (String line : client.put("/settings?format=lines").lines().toList()) {
            int equals = line.indexOf('=');
            if (equals > 0 && keys.contains(line.substring(0, equals))) {
                values.put(line.substring(0, equals), line.substring(equals + 1));
            } else if (line.startsWith(LEAVING + "=") && keys.contains(DonorSettings.ALL)) {
                leaving = line.substring(equals + 1);
            }
        }
        if (keys.contains(DonorSettings.ALL) && !values.containsKey(DonorSettings.ALL)) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "--save: a registry names this server's donors, or they are in its process, so none are written into "
                            + file);
        }
        String section = "[" + role + (instance == null ? "" : "." + instance) + "]";
        try {
            List<String> changed = ConfigEdit.save(file, role, instance, values, LISTS);
            return (changed.isEmpty()
                            ? file + " has it already"
                            : file + ": written into " + section + ": " + String.join(", ", changed))
                    + (leaving.isEmpty()
                            ? ""
                            : "; " + leaving
                                    + " stays there while it may hold pages, so save once more when it has left");
        } catch (ConfigException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        }
    }
}
