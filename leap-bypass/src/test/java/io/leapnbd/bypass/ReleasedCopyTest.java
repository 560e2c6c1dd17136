package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Member.State;
import io.leapnbd.bypass.map.Placement;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The last steps of a move, over donors that follow a script: docs/replicas.md, "How a copy is moved". */
class ReleasedCopyTest extends ScriptedDeviceTests {

    private static final int SLABS = 4;

    /** The new copy is told thrice: that it is to be filled, that it is live, and that it is alone. */
    private static final int TOLD_BEFORE_THE_RELEASE = 2;

    @Test
    void aCopyGoesWhenTheOneThatTakesItsPlaceIsLive() throws IOException {
        open(SLABS, 2, 1, 8_000);
        Member first = written();
        ScriptedStore old = device.stores.get(first.donor());
        old.donor.wantedBack(1);
        Awaiting.that("the slab is home", () -> old.held() == 0);
        assertThat(placement().size()).isEqualTo(1);
        assertThat(placement().primary().donor()).isNotEqualTo(first.donor());
        assertThat(driver.read(0, PAGE)).isEqualTo(page(1));
        assertThat(old.placements)
                .as("it was told of the other, so that it is never taken for the only one")
                .hasValue(1);
    }

    /** Whether the one that stays was told or not, nobody knows. So the other one keeps what it has until both say that they are live. */
    @Test
    void aCopyThatIsReleasedAndOfWhichTheOtherDoesNotSayThatItKnowsStays() throws IOException {
        open(SLABS, 2, 1, 8_000);
        Member first = written();
        ScriptedStore old = device.stores.get(first.donor());
        ScriptedStore other = device.stores.get(1 - first.donor());
        other.answersPlacements = TOLD_BEFORE_THE_RELEASE;
        old.donor.wantedBack(1);
        Awaiting.that("the other one was told", () -> other.placements.get() > TOLD_BEFORE_THE_RELEASE);
        assertThat(states()).containsExactly(State.LIVE, State.COMPLETE);
        assertThat(placement().told()).isFalse();
        assertThat(placement().member(1)).isSameAs(first);
        assertThat(old.held()).isEqualTo(1);
        assertThat(driver.read(0, PAGE)).isEqualTo(page(1));

        other.answersPlacements = Integer.MAX_VALUE;
        assertThat(driver.write(0, page(2))).isZero();
        Awaiting.that("the slab is home", () -> old.held() == 0);
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
        assertThat(device.map.pagesLost()).isZero();
        assertThat(device.placing.drops()).isZero();
    }

    /** A read that was posted before the switch is answered by the old copy, or anew; its memory does not go before. */
    @Test
    void aCopyIsNotFreedAsLongAsARequestIsUnderWayToIt() throws Exception {
        open(SLABS, 2, 1, 8_000);
        Member first = written();
        ScriptedStore old = device.stores.get(first.donor());
        old.holdsReadsOf = PAGE;
        DeviceDriver.Read read = driver.startRead(PAGE, PAGE);
        driver.awaitTurn();
        old.donor.wantedBack(1);
        Awaiting.that(
                "the other copy is the only one",
                () -> placement().primary() != first && placement().size() == 1);
        // Some ticks, in which it could be freed.
        Thread.sleep(400);
        assertThat(old.held()).isEqualTo(1);
        old.holdsReadsOf = -1;
        ScriptedStore.Link link = device.links.get(first.donor());
        link.loop.execute(link::letGo);
        assertThat(DeviceDriver.join(read.error())).isZero();
        assertThat(read.bytes()).isEqualTo(page(3));
        Awaiting.that("the slab is home", () -> old.held() == 0);
    }

    private Member written() {
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.write(PAGE, page(3))).isZero();
        return placement().primary();
    }

    private Placement placement() {
        return Objects.requireNonNull(device.map.placement(0));
    }

    private List<State> states() {
        Placement at = placement();
        return IntStream.range(0, at.size()).mapToObj(at::state).toList();
    }
}
