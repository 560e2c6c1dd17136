package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.latency.LatencyRecorders;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ReadChoiceTest {

    private static final int PAGE = 4096;
    private static final long FAST = 100_000;
    private static final long SLOW = 1_000_000;

    private long now = 1;
    private final SteppedLoop steps = new SteppedLoop(() -> now);
    private final Member[] members = {member(0), member(1)};
    private final Placement both = Placement.of(1, List.of(members));
    private final DeviceLoop loop = new DeviceLoop(
            steps,
            new LatencyRecorders().openLoop(),
            new DonorLink[] {new Ready(), new Ready()},
            false,
            TimeUnit.SECONDS.toNanos(8),
            TimeUnit.SECONDS.toNanos(1),
            () -> now,
            () -> 0);
    private final ReadChoice choice = new ReadChoice(loop, TimeUnit.MILLISECONDS.toNanos(100));

    private static Member member(int donor) {
        return new Member(donor, UUID.randomUUID(), 1, 1);
    }

    private static class Ready extends IdleLink {
        @Override
        public boolean ready() {
            return true;
        }
    }

    private void took(Member from, int reads, long nanos) {
        for (int i = 0; i < reads; i++) {
            choice.begun(from);
            choice.ended(from, PAGE, nanos, false, now);
        }
    }

    private void bothAreKnown(long one, long other) {
        took(members[0], 2_000, one);
        took(members[1], 2_000, other);
    }

    @Test
    void aDonorThatIsTenTimesSlowerIsNotReadFromHoweverManyReadsAreUnderWay() {
        bothAreKnown(FAST, SLOW);
        for (int i = 0; i < 10_000; i++) {
            assertThat(choice.choose(both, null)).isSameAs(members[0]);
            choice.begun(members[0]);
        }
    }

    @Test
    void oneReadIn128IsAskedOfTheSlowDonorTooSoThatItIsFoundToBeFastAgain() {
        bothAreKnown(FAST, SLOW);
        int probes = 0;
        for (int i = 0; i < 128 * 10; i++) {
            Member _ = choice.choose(both, null);
            probes += choice.probe() == members[1] ? 1 : 0;
        }
        assertThat(probes).isEqualTo(10);
        took(members[1], 30, FAST);
        int second = 0;
        for (int i = 0; i < 128 * 10; i++) {
            second += choice.choose(both, null) == members[1] ? 1 : 0;
            assertThat(choice.probe()).isNull();
        }
        assertThat(second).isGreaterThanOrEqualTo(10);
    }

    @Test
    void aFirstAnswerThatTookAHundredTimesTooLongIsForgottenAfterTenProbes() {
        took(members[1], 1, 100 * FAST);
        took(members[0], 100, FAST);
        assertThat(choice.choose(both, null)).isSameAs(members[0]);
        for (int i = 0; i < 10; i++) {
            took(members[1], 1, FAST);
            choice.probed(members[1], FAST);
        }
        choice.begun(members[0]);
        assertThat(choice.choose(both, null)).isSameAs(members[1]);
    }

    @Test
    void aSingleStallDoesNotMakeADonorSlow() {
        bothAreKnown(FAST, FAST);
        took(members[0], 1, 100 * FAST);
        for (int i = 0; i < 4; i++) {
            choice.begun(members[1]);
        }
        assertThat(choice.choose(both, null)).isSameAs(members[0]);
    }

    @Test
    void aReadThatHasTakenTooLongSendsOthersElsewhere() {
        bothAreKnown(FAST, FAST);
        choice.begun(members[0]);
        for (int i = 0; i < 4; i++) {
            choice.begun(members[1]);
        }
        assertThat(choice.choose(both, null)).isSameAs(members[0]);
        choice.late(members[0]);
        assertThat(choice.choose(both, null)).isSameAs(members[1]);
        choice.ended(members[0], PAGE, 2 * FAST, true, now);
        assertThat(choice.choose(both, null)).isSameAs(members[0]);
    }

    @Test
    void aReadWaitsHalfAsLongAgainAsNineteenInTwentyTake() {
        bothAreKnown(FAST, FAST);
        assertThat(choice.patience(both, members[0], PAGE)).isBetween(FAST * 3 / 2 - FAST / 10, FAST * 7 / 4);
    }

    @Test
    void aReadOfASlowDonorDoesNotWaitForWhatIsUsualThere() {
        bothAreKnown(FAST, SLOW);
        assertThat(choice.patience(both, members[1], PAGE)).isBetween(5 * FAST / 2, 7 * FAST / 2);
    }

    @Test
    void aSlowDonorIsNotAskedBeforeItCouldHaveAnswered() {
        bothAreKnown(FAST, SLOW);
        assertThat(choice.patience(both, members[0], PAGE)).isBetween(SLOW - SLOW / 8, SLOW + SLOW / 8);
    }

    @Test
    void nobodyIsAskedBeforeLatenciesAreKnownNorBeforeALoopCouldBeWoken() {
        assertThat(choice.patience(both, members[0], PAGE)).isEqualTo(ReadChoice.FOREVER);
        bothAreKnown(1_000, 1_000);
        assertThat(choice.patience(both, members[0], PAGE)).isEqualTo(ReadChoice.LEAST_PATIENCE);
    }

    @Test
    void longReadsAreMeasuredByThemselves() {
        bothAreKnown(FAST, FAST);
        assertThat(choice.patience(both, members[0], 32 * PAGE)).isEqualTo(ReadChoice.FOREVER);
        for (int i = 0; i < 2_000; i++) {
            choice.begun(members[0]);
            choice.ended(members[0], 32 * PAGE, SLOW, false, now);
        }
        assertThat(choice.patience(both, members[0], 32 * PAGE)).isGreaterThan(SLOW);
        assertThat(choice.patience(both, members[0], PAGE)).isBetween(FAST, 2 * FAST);
    }
}
