package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** What the log says of a donor that cannot be reached, by a clock of the test's. */
class ReachabilityTest {

    private static final String REAL = "is refused: its certificate is of a machine that was taken out of the pool";

    private final ListAppender<ILoggingEvent> log = new ListAppender<>();
    private final Logger logger = (Logger) LoggerFactory.getLogger(Reachability.class);
    private final AtomicLong now = new AtomicLong();
    private final Reachability donor = new Reachability("h2", now::get);

    @BeforeEach
    void listen() {
        log.start();
        logger.addAppender(log);
        donor.linkUp();
        now.addAndGet(TimeUnit.SECONDS.toNanos(10));
    }

    @AfterEach
    void forget() {
        logger.detachAppender(log);
    }

    private void refused() {
        donor.unfit(Donor.Unfit.REFUSES);
        donor.failed(REAL);
    }

    private List<String> told() {
        return log.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
    }

    /** Lines come a second apart, and the next attempts come sooner. */
    @Test
    void theReasonIsToldOnceThoughItComesRightAfterTheEndOfALink() {
        donor.linkDown();
        donor.failed("closed the connection");
        for (int i = 0; i < 50; i++) {
            now.addAndGet(TimeUnit.MILLISECONDS.toNanos(100));
            refused();
        }
        assertThat(told())
                .containsExactly(
                        "donor h2: closed the connection; trying again until it answers",
                        "donor h2: " + REAL + "; trying again until it answers");
        assertThat(donor.whyUnused()).isEqualTo(REAL);
    }

    @Test
    void theSameReasonIsNewsAgainWhenTheDonorWasBack() {
        donor.linkDown();
        refused();
        donor.linkUp();
        donor.linkDown();
        now.addAndGet(TimeUnit.SECONDS.toNanos(10));
        refused();
        assertThat(told()).filteredOn(line -> line.contains(REAL)).hasSize(2);
    }
}
