package io.leapnbd.tools.donor;

import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.LogSetup;
import io.leapnbd.tools.http.Answer;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What can change while a donor runs: {@code PUT /settings?log-level=debug}. Any thread. */
final class DonorControl {

    private static final Logger log = LoggerFactory.getLogger(DonorControl.class);
    private static final String LOG_LEVEL = "log-level";

    private DonorControl() {}

    /**
     * Changes settings; answers with those in force afterwards.
     *
     * @param query the changes; {@code format}, text, json or lines
     * @throws IllegalArgumentException if anything is wrong; then nothing is changed
     */
    static Answer set(Map<String, String> query) {
        Map<String, String> changes = new LinkedHashMap<>(query);
        String format = changes.remove("format");
        String level = changes.remove(LOG_LEVEL);
        if (!changes.isEmpty()) {
            throw new IllegalArgumentException("a donor has no setting '"
                    + changes.keySet().iterator().next() + "' that can change while it runs; there is " + LOG_LEVEL);
        }
        if (level != null && !LogSetup.isLevel(level)) {
            throw new IllegalArgumentException(LOG_LEVEL + ": " + LogSetup.complaint(level));
        }
        if (level != null) {
            LogSetup.level(level);
            log.info("{} is {} now", LOG_LEVEL, level);
        }
        if ("json".equals(format)) {
            return Answer.ok(
                    "application/json",
                    new Json().object().put("log_level", LogSetup.level()).endObject() + "\n");
        }
        return Answer.line(200, ("lines".equals(format) ? "" : "donor: ") + LOG_LEVEL + "=" + LogSetup.level());
    }
}
