package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** F13: peers cannot fill the log, nor write to the terminal that shows it. */
class LimitedLogTest {

    @Test
    void linesBeyondTheLimitAreLeftOut() {
        Logger logger = (Logger) LoggerFactory.getLogger("limited");
        ListAppender<ILoggingEvent> lines = new ListAppender<>();
        lines.start();
        logger.addAppender(lines);
        LimitedLog log = new LimitedLog(logger);
        for (int i = 0; i < 10_000; i++) {
            log.info("link {} refused", i);
        }
        // More only if this took longer than ten seconds.
        assertThat(lines.list.size()).isBetween(20, 200);
    }
}
