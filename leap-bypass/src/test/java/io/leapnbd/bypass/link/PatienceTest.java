package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** B3: a request that was posted with little time left does not break a healthy link when it expires. */
class PatienceTest {

    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    private final Patience patience = Patience.of(20 * SECOND);
    private final LinkRequest request = new LinkRequest();

    private boolean over(long sent, long deadline, long now, long heard) {
        request.sentNanos = sent;
        request.deadlineNanos = deadline;
        return patience.isOver(request, now, heard);
    }

    @Test
    void nothing_is_over_before_its_deadline() {
        assertThat(over(0, 20 * SECOND, 20 * SECOND - 1, -1)).isFalse();
        assertThat(over(0, 20 * SECOND, 20 * SECOND, 19 * SECOND)).isTrue();
    }

    @Test
    void a_silent_link_gets_a_second() {
        assertThat(over(0, SECOND / 10, SECOND - 1, 0)).isFalse();
        assertThat(over(0, SECOND / 10, SECOND, 0)).isTrue();
    }

    @Test
    void a_link_that_answers_others_gets_a_quarter_of_a_requests_time() {
        assertThat(over(0, SECOND / 10, 5 * SECOND - 1, 1)).isFalse();
        assertThat(over(0, SECOND / 10, 5 * SECOND, 1)).isTrue();
    }

    @Test
    void short_deadlines_have_short_patience() {
        assertThat(Patience.of(SECOND)).isEqualTo(new Patience(SECOND / 4, SECOND / 4));
    }
}
