package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.cache.PrefetchFigures;
import io.leapnbd.prefetch.PageCache;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.LogSetup;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.pool.LinkSecurity;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Changes what a running server prefetches, and its donors: {@code PUT /settings?prefetch=leap&history=32&cache-size=64M}. All that is asked for
 * is checked before anything is changed. Any thread but an event loop.
 */
final class SettingsControl {

    private static final Logger log = LoggerFactory.getLogger(SettingsControl.class);

    /** Name of the setting for what is logged. */
    static final String LOG_LEVEL = "log-level";

    private static final List<String> FORMATS = List.of("json", "text", "lines");

    private final String export;
    private final RemoteDevice device;
    private final DonorSettings donors;
    private final boolean ofRegistry;

    /**
     * Of a server.
     *
     * @param onlyThisMachine as in {@link CopiesChoice}
     * @param ofRegistry whether a registry names its donors
     */
    SettingsControl(
            String export, LinkSecurity security, RemoteDevice device, boolean onlyThisMachine, boolean ofRegistry) {
        this.ofRegistry = ofRegistry;
        this.export = export;
        this.device = device;
        donors = new DonorSettings(device, security, onlyThisMachine);
    }

    /** The donors, as a list names them. */
    String donorNames() {
        return donors.names();
    }

    /** The settings in force. */
    PrefetchSettings current() {
        PrefetchFigures figures = device.prefetching().figures();
        return new PrefetchSettings(
                figures.policy(),
                figures.settings(),
                (long) device.cache().figures().slots() * PageCache.PAGE_SIZE,
                (long) device.cache().capacity() * PageCache.PAGE_SIZE);
    }

    /**
     * Changes settings; answers with those in force afterwards.
     *
     * @param query the changes; {@code export}, which must be this server's if it is there; {@code format}, text or json
     * @throws IllegalArgumentException if anything is wrong; then nothing is changed
     */
    synchronized Answer set(Map<String, String> query) {
        Map<String, String> changes = new LinkedHashMap<>(query);
        String of = changes.remove("export");
        if (of != null && !of.equals(export)) {
            throw new IllegalArgumentException("no export is called '" + of + "'; there is " + export);
        }
        String format = changes.remove("format");
        if (format != null && !FORMATS.contains(format)) {
            throw new IllegalArgumentException("no format is called " + format + "; there are json, text, lines");
        }
        PrefetchSettings after = make(changes);
        String level = LogSetup.level();
        if ("json".equals(format)) {
            Json json = new Json().object().put("export", export);
            after.putInto(json);
            json.put("log_level", level);
            donors.putInto(json);
            return Answer.ok("application/json", json.endObject() + "\n");
        }
        if ("lines".equals(format)) {
            // A file that names a registry goes on to do so.
            String names = ofRegistry ? "" : donors.names();
            String leaving = ofRegistry ? "" : donors.leaving();
            return Answer.line(
                    200,
                    (after + " " + LOG_LEVEL + "=" + level).replace(' ', '\n')
                            + (names.isEmpty() ? "" : "\n" + DonorSettings.ALL + "=" + names)
                            + (leaving.isEmpty() ? "" : "\n" + SavedSettings.LEAVING + "=" + leaving));
        }
        return Answer.line(200, export + ": " + after + " " + LOG_LEVEL + "=" + level + donors.text());
    }

    /** As {@link #make}, of what a file of settings has; each has one text, or is not there any more. */
    void makeRead(Map<String, List<String>> read) {
        Map<String, String> wanted = new LinkedHashMap<>();
        if (ofRegistry && read.containsKey(DonorSettings.ALL)) {
            throw new IllegalArgumentException(DonorSettings.ALL
                    + ": a registry names this server's donors; another one, or a list, needs a restart");
        }
        read.forEach((name, texts) -> {
            if (texts.isEmpty()) {
                throw new IllegalArgumentException(name + ": a server that has some cannot do without; name them");
            }
            wanted.put(name, texts.getFirst());
        });
        if (!wanted.isEmpty()) {
            var _ = make(wanted);
        }
    }

    /**
     * Makes changes, all or none.
     *
     * @param wanted values by name
     * @return what is prefetched afterwards
     * @throws IllegalArgumentException if anything is wrong; then nothing is changed
     */
    synchronized PrefetchSettings make(Map<String, String> wanted) {
        Map<String, String> changes = new LinkedHashMap<>(wanted);
        Map<String, String> ofDonors = DonorSettings.takeFrom(changes);
        String level = changes.remove(LOG_LEVEL);
        if (level != null && !LogSetup.isLevel(level)) {
            throw new IllegalArgumentException(LOG_LEVEL + ": " + LogSetup.complaint(level));
        }
        PrefetchSettings before = current();
        PrefetchSettings after = before.with(changes);
        // What may be refused late comes first.
        donors.set(ofDonors);
        if (after.cacheSize() != before.cacheSize()) {
            device.cache().resize((int) (after.cacheSize() / PageCache.PAGE_SIZE));
        }
        if (changes.containsKey(PrefetchSettings.POLICY) || !after.leap().equals(before.leap())) {
            device.prefetching().choose(after.policy(), after.leap());
        }
        if (!changes.isEmpty()) {
            log.info("settings of {} are now {}", export, after);
        }
        if (level != null) {
            LogSetup.level(level);
        }
        return after;
    }
}
