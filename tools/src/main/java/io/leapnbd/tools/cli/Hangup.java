package io.leapnbd.tools.cli;

import org.jline.utils.Signals;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * SIGHUP, which comes when the terminal or the ssh session that a process was started from goes away. A process that keeps other
 * programs' pages stays.
 */
public final class Hangup {

    private static final Logger log = LoggerFactory.getLogger(Hangup.class);

    private Hangup() {}

    /** From now on SIGHUP is a line in the log, and nothing else; where it was ignored, as under nohup, not even that. */
    public static void outlive() {
        Signals.register("HUP", () -> log.info("hang-up: this process stays; SIGTERM ends it"));
    }
}
