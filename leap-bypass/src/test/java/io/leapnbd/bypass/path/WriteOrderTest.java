package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.WriteWatch;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class WriteOrderTest {

    private static final int PAGE = 4096;

    private final WriteOrder order = new WriteOrder();

    @Test
    void oneChangeOfAPageIsUnderWayAtATime() {
        assertThat(order.begin(0, PAGE)).isTrue();
        assertThat(order.changing(100)).isTrue();
        assertThat(order.changing(PAGE)).isFalse();
        assertThat(order.begin(0, 2 * PAGE)).isFalse();
        assertThat(order.begin(PAGE, PAGE)).as("another page of the group").isTrue();
        order.end(0, PAGE);
        assertThat(order.begin(0, 2 * PAGE)).isFalse();
        order.end(PAGE, PAGE);
        assertThat(order.begin(0, 2 * PAGE)).isTrue();
    }

    @Test
    void writesThatAreAGibApartDoNotMeet() {
        for (long gib = 0; gib < 64; gib++) {
            assertThat(order.begin(gib << 30, PAGE)).isTrue();
        }
    }

    @Test
    void aRangeOfAWholeSlabOfAGibDoesNotMeetItself() {
        assertThat(order.begin(5L << 30, 1 << 30)).isTrue();
        order.end(5L << 30, 1 << 30);
        assertThat(order.begin(5L << 30, 1 << 30)).isTrue();
    }

    @Test
    void whoHasAGroupAloneKeepsAllItsPagesAndNoOthers() {
        assertThat(order.begin(0, PAGE)).isTrue();
        assertThat(order.beginAlone(10L * PAGE, 0)).isFalse();
        order.end(0, PAGE);
        assertThat(order.beginAlone(10L * PAGE, 0)).isTrue();
        assertThat(order.begin(63L * PAGE, PAGE)).isFalse();
        assertThat(order.begin(64L * PAGE, PAGE)).isTrue();
        order.endAlone(10L * PAGE);
        assertThat(order.begin(0, 64 * PAGE)).isTrue();
    }

    @Test
    void aPartialWriteWaitsForAWholeOneAndTheOtherWayRound() {
        assertThat(order.begin(0, PAGE)).isTrue();
        assertThat(order.begin(100, 10)).isFalse();
        order.end(0, PAGE);
        assertThat(order.begin(100, 10)).isTrue();
        assertThat(order.begin(0, PAGE)).isFalse();
        assertThat(order.begin(200, 10)).isFalse();
        order.end(100, 10);
        assertThat(order.begin(0, PAGE)).isTrue();
    }

    @Test
    void aWriteThatMayNotBeginHoldsNothing() {
        long group = 64L * PAGE;
        assertThat(order.begin(group + 1, 1)).isTrue();
        assertThat(order.begin(0, (int) group + PAGE)).isFalse();
        assertThat(order.begin(1, (int) group)).isFalse();
        assertThat(order.begin(1, 1)).isTrue();
        order.end(1, 1);
        order.end(group + 1, 1);
        assertThat(order.begin(1, (int) group)).isTrue();
    }

    @Test
    void nothingIsDoneWhereAWriteIsUnderWayOrANewerOneWas() {
        int group = 64 * PAGE;
        List<Long> done = new ArrayList<>();
        assertThat(order.begin(0, PAGE)).isTrue();
        order.began(0, PAGE, 7);
        assertThat(order.whileNothingIsWritten(PAGE, 2 * group, 7, (offset, length) -> done.add(offset)))
                .isFalse();
        assertThat(done).containsExactly((long) group, 2L * group);

        order.end(0, PAGE);
        done.clear();
        assertThat(order.whileNothingIsWritten(PAGE, PAGE, 6, (offset, length) -> done.add(offset)))
                .isFalse();
        assertThat(done).isEmpty();
        assertThat(order.whileNothingIsWritten(PAGE, PAGE, 7, (offset, length) -> {
                    assertThat(order.begin(0, PAGE)).isFalse();
                    return done.add(offset);
                }))
                .isTrue();
        assertThat(done).containsExactly((long) PAGE);
        assertThat(order.begin(0, PAGE)).isTrue();
    }

    @Test
    void aReadByTheDeviceIsNotBegunWhileAWriteIsUnderWayToItsPages() {
        assertThat(order.stamp(0, PAGE)).isNotEqualTo(WriteWatch.BUSY);
        assertThat(order.begin(0, PAGE)).isTrue();
        assertThat(order.stamp(0, PAGE)).isEqualTo(WriteWatch.BUSY);
        order.began(0, PAGE, 5);
        order.end(0, PAGE);
        assertThat(order.stamp(0, PAGE)).isNotEqualTo(WriteWatch.BUSY);
    }

    @Test
    void aReadByTheDeviceDoesNotCountIfAWriteBeganMeanwhileEvenIfItHasEnded() {
        long stamp = order.stamp(0, PAGE);
        assertThat(order.undisturbed(0, PAGE, stamp)).isTrue();
        assertThat(order.begin(0, PAGE)).isTrue();
        order.began(0, PAGE, 7);
        order.end(0, PAGE);
        assertThat(order.undisturbed(0, PAGE, stamp)).isFalse();
    }

    @Test
    void aReadOfManyGroupsIsDisturbedByAWriteToAnyOfThem() {
        int group = 64 * PAGE;
        long stamp = order.stamp(PAGE, 3 * group);
        assertThat(order.begin(2L * group, PAGE)).isTrue();
        assertThat(order.stamp(PAGE, 3 * group)).isEqualTo(WriteWatch.BUSY);
        order.began(2L * group, PAGE, 9);
        order.end(2L * group, PAGE);
        assertThat(order.undisturbed(PAGE, 3 * group, stamp)).isFalse();
        assertThat(order.undisturbed(10L * group, group, order.stamp(10L * group, group)))
                .isTrue();
    }

    @Test
    void pagesOfAWriteInDoubtAreNeverReadByTheDeviceAgain() {
        assertThat(order.begin(0, PAGE)).isTrue();
        order.markUncertain(0, PAGE);
        order.end(0, PAGE);
        assertThat(order.stamp(0, PAGE)).isEqualTo(WriteWatch.BUSY);
        assertThat(order.begin(0, PAGE)).isTrue();
    }

    /** B4: with 32 writers of whole pages in one group there was always one under way, and partial writes failed at their deadline. */
    @Test
    void aPartialWriteThatWaitsKeepsNewWholeOnesOutUntilItHasHadItsTurn() {
        assertThat(order.begin(0, PAGE)).isTrue();
        assertThat(order.begin(100, 10)).isFalse();
        long ticket = order.ticket();
        assertThat(order.begin(100, 10, ticket)).isFalse();

        assertThat(order.begin(PAGE, PAGE)).as("a new one").isFalse();
        long later = order.ticket();
        assertThat(order.begin(PAGE, PAGE, later)).as("one that came later").isFalse();
        order.end(0, PAGE);
        assertThat(order.begin(PAGE, PAGE, later)).as("one that came later").isFalse();
        assertThat(order.begin(100, 10, ticket)).isTrue();
        order.end(100, 10);
        assertThat(order.begin(PAGE, PAGE, later)).isTrue();
        assertThat(order.begin(2 * PAGE, PAGE)).isTrue();
    }

    @Test
    void whoGivesUpHoldsNobodyUpAnyMore() {
        assertThat(order.begin(0, PAGE)).isTrue();
        long ticket = order.ticket();
        assertThat(order.begin(100, 10, ticket)).isFalse();
        assertThat(order.begin(PAGE, PAGE)).isFalse();
        order.forget(100, 10, ticket);
        assertThat(order.begin(PAGE, PAGE)).isTrue();
    }

    @Test
    void ofManyThatWaitTheOldestIsFirst() {
        assertThat(order.begin(0, PAGE)).isTrue();
        long first = order.ticket();
        long second = order.ticket();
        assertThat(order.begin(200, 10, second)).isFalse();
        assertThat(order.begin(100, 10, first)).isFalse();
        order.end(0, PAGE);
        assertThat(order.begin(200, 10, second)).isFalse();
        assertThat(order.begin(100, 10, first)).isTrue();
        assertThat(order.begin(200, 10, second)).isFalse();
        order.end(100, 10);
        assertThat(order.begin(200, 10, second)).isTrue();
    }

    /** A12. */
    @Test
    void pagesOfAWriteInDoubtAreKnown() {
        assertThat(order.doubtful(0, PAGE)).isFalse();
        assertThat(order.begin(0, PAGE)).isTrue();
        order.markUncertain(0, PAGE);
        order.end(0, PAGE);
        assertThat(order.doubtful(0, PAGE)).isTrue();
        assertThat(order.doubtful(64L * PAGE, PAGE)).isFalse();
    }
}
