package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PendingRequestsTest {

    /** A deadline that does not pass. */
    private static final long FAR = System.nanoTime() + (1L << 60);

    /** How many more requests can be sent. */
    private int room;

    private final List<LinkRequest> sent = new ArrayList<>();
    private final List<LinkRequest> ended = new ArrayList<>();
    private final PendingRequests pending = new PendingRequests(new PendingRequests.Sender() {
        @Override
        public boolean advance(LinkRequest request, long now) {
            return room > 0;
        }

        @Override
        public void left(LinkRequest request, long now) {
            assertThat(request.queue).isNull();
            sent.add(request);
            room--;
        }
    });

    private LinkRequest add(byte operation, boolean background, long deadline) {
        LinkRequest request = new LinkRequest();
        request.operation = operation;
        request.background = background;
        request.deadlineNanos = deadline;
        request.completion = (r, now) -> ended.add(r);
        pending.add(request);
        return request;
    }

    @Test
    void demandsLeaveBeforeBulkAndBulkBeforeBackgroundReads() {
        LinkRequest background = add(Operation.READ, true, FAR);
        LinkRequest write = add(Operation.WRITE, false, FAR);
        LinkRequest read = add(Operation.READ, false, FAR);
        LinkRequest trim = add(Operation.TRIM, false, FAR);
        LinkRequest grant = add(Operation.GRANT, false, FAR);
        room = 9;
        pending.pump();
        assertThat(sent).containsExactly(read, grant, write, trim, background);
    }

    @Test
    void onlyWhatHasNoneAheadIsTriedAtOnce() {
        LinkRequest first = add(Operation.READ, false, FAR);
        LinkRequest second = add(Operation.READ, false, FAR);
        room = 1;
        pending.pumpIfFirst(second, 0);
        assertThat(sent).isEmpty();
        pending.pumpIfFirst(first, 0);
        assertThat(sent).containsExactly(first);
        assertThat(pending.demandsWait()).isTrue();
        assertThat(pending.noneAhead(second)).isFalse();
    }

    @Test
    void aPromotedReadWaitsAsADemand() {
        LinkRequest first = add(Operation.READ, true, FAR);
        LinkRequest second = add(Operation.READ, true, FAR);
        LinkRequest write = add(Operation.WRITE, false, FAR);
        assertThat(pending.promote(second)).isTrue();
        room = 9;
        pending.pump();
        assertThat(sent).containsExactly(second, write, first);
        assertThat(pending.promote(first)).isFalse();
        assertThat(first.background).isFalse();
    }

    @Test
    void whatIsPastItsDeadlineEndsUnlessAnswersAreStillToCome() {
        LinkRequest late = add(Operation.WRITE, false, FAR);
        LinkRequest partlySent = add(Operation.WRITE, false, FAR);
        LinkRequest inTime = add(Operation.WRITE, false, FAR + 1);
        partlySent.unanswered = 1;
        pending.expire(FAR);
        assertThat(ended).containsExactly(late);
        assertThat(late.outcome).isEqualTo(Outcome.UNREACHABLE);
        room = 9;
        pending.pump();
        assertThat(sent).containsExactly(partlySent, inTime);
    }

    @Test
    void deadlinesHoldWhereTheClockOverflows() {
        LinkRequest late = add(Operation.READ, false, Long.MAX_VALUE - 5);
        LinkRequest inTime = add(Operation.READ, true, Long.MIN_VALUE + 5);
        pending.expire(Long.MIN_VALUE + 1);
        assertThat(ended).containsExactly(late).doesNotContain(inTime);
    }

    @Test
    void whatComesBackWaitsAgainOrEndsWithTheLinkOrAtItsDeadline() {
        LinkRequest one = add(Operation.READ, false, FAR);
        room = 1;
        pending.pump();
        pending.again(one, null, FAR - 1);
        assertThat(pending.demandsWait()).isTrue();
        room = 1;
        pending.pump();
        pending.again(one, null, FAR);
        assertThat(one.outcome).isEqualTo(Outcome.UNREACHABLE);
        pending.again(one, Outcome.FENCED, FAR - 1);
        assertThat(one.outcome).isEqualTo(Outcome.FENCED);
        assertThat(ended).hasSize(2);
        assertThat(pending.demandsWait()).isFalse();
    }

    @Test
    void theEndOfTheLinkIsTheEndOfAll() {
        LinkRequest background = add(Operation.READ, true, FAR);
        LinkRequest write = add(Operation.WRITE, false, FAR);
        LinkRequest read = add(Operation.READ, false, FAR);
        write.sent = 5;
        pending.end(Outcome.FENCED, 0);
        assertThat(ended).containsExactly(read, write, background).allMatch(r -> r.outcome == Outcome.FENCED);
        assertThat(write.sent).isZero();
        room = 9;
        pending.pump();
        assertThat(sent).isEmpty();
    }

    @Test
    void theWaitBetweenAttemptsDoublesUpToASecond() {
        Backoff backoff = new Backoff();
        long most = 10;
        for (int i = 0; i < 12; i++) {
            assertThat(backoff.next()).isBetween(most / 2, most);
            most = Math.min(1_000, most * 2);
        }
        backoff.reset();
        assertThat(backoff.next()).isLessThanOrEqualTo(10);
    }

    @Test
    void whatHasExpiredIsNotSentAnyMore() {
        // B3: it would be in flight, past its deadline, and its link be taken for broken.
        LinkRequest late = add(Operation.GRANT, false, System.nanoTime() - 1);
        LinkRequest inTime = add(Operation.READ, false, Long.MAX_VALUE / 2);
        room = 9;
        pending.pump();
        assertThat(ended).containsExactly(late);
        assertThat(late.outcome).isEqualTo(Outcome.UNREACHABLE);
        assertThat(sent).containsExactly(inTime);
    }

    @Test
    void aCompletionThatThrowsEndsItsOwnRequestOnly() {
        // B2
        LinkRequest bad = add(Operation.READ, false, 10);
        bad.completion = (r, now) -> {
            ended.add(r);
            throw new InternalError("a fault of mapped memory");
        };
        LinkRequest good = add(Operation.READ, false, 10);
        pending.expire(10);
        assertThat(ended).containsExactly(bad, good);
    }

    @Test
    void timeThatTheProcessDidNotRunDoesNotCount() {
        // G5
        LinkRequest request = add(Operation.READ, false, 10);
        TickGap gaps = new TickGap(0);
        assertThat(gaps.ended(TickGap.GAP_NANOS)).isZero();
        long resumed = 70 * TickGap.GAP_NANOS;
        long gap = gaps.ended(resumed);
        pending.each(each -> each.deadlineNanos += gap);
        assertThat(gaps.ended(resumed + 1)).isZero();
        pending.expire(resumed - TickGap.GAP_NANOS);
        assertThat(ended).isEmpty();
        pending.expire(resumed + 10);
        assertThat(ended).containsExactly(request);
    }

    @Test
    void aDonorThatNobodyReachesIsDownAfterARequestsTime() {
        // B5
        Donor donor = new Donor("away", new IgnoringListener());
        long hour = 3_600_000_000_000L;
        long now = System.nanoTime();
        assertThat(donor.down(now, hour)).isFalse();
        assertThat(donor.down(now + hour, hour)).isTrue();
        donor.linkUp(false);
        assertThat(donor.down(now + hour, hour)).isFalse();
        donor.linkDown("gone", true);
        assertThat(donor.down(now, hour)).isFalse();
        assertThat(donor.down(System.nanoTime() + hour, hour)).isTrue();
    }
}
