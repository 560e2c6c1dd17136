package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.cache.PrefetchFigures;
import io.leapnbd.prefetch.PageCache;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.pool.LinkSecurity;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Changes what a running server prefetches, and its donors: {@code PUT /settings?prefetch=leap&history=32&cache-size=64M}. All that is asked for
 * is checked before anything is changed. Any thread but an event loop.
 */
final class SettingsControl {

    private static final Logger log = LoggerFactory.getLogger(SettingsControl.class);

    private final String export;
    private final RemoteDevice device;
    private final DonorSettings donors;

    /** Of a server; {@code onlyThisMachine} as in {@link CopiesChoice}. */
    SettingsControl(String export, LinkSecurity security, RemoteDevice device, boolean onlyThisMachine) {
        this.export = export;
        this.device = device;
        donors = new DonorSettings(device, security, onlyThisMachine);
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
        if (format != null && !format.equals("json") && !format.equals("text")) {
            throw new IllegalArgumentException("no format is called " + format + "; there are json, text");
        }
        Map<String, String> ofDonors = DonorSettings.takeFrom(changes);
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
        if ("json".equals(format)) {
            Json json = new Json().object().put("export", export);
            after.putInto(json);
            donors.putInto(json);
            return Answer.ok("application/json", json.endObject() + "\n");
        }
        return Answer.line(200, export + ": " + after + donors.text());
    }
}
