package io.leapnbd.prefetch.push;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.push.PushSettings.Policy;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProcessPusherTest {

    private static final int PAGES = 1 << 16;
    private static final int MEMORY = 1 << 14;

    private static ScriptedKernel kernel() {
        return new ScriptedKernel(PAGES, MEMORY, PushSettings.DEFAULT);
    }

    private static ScriptedKernel leap(int window) {
        return new ScriptedKernel(PAGES, MEMORY, new PushSettings(Policy.LEAP, new LeapSettings(32, 4, window)));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 7, 10, 100, 1024})
    void aStrideMakesMinorFaultsOfNearlyAllMajorOnes(long stride) {
        ScriptedKernel kernel = kernel();
        long touches = 0;
        for (long offset = 0; touches < 4000; offset++) {
            for (long page = offset; page < PAGES; page += stride, touches++) {
                kernel.touch(page);
            }
        }
        assertThat(kernel.majors).isLessThan(touches / 20);
        assertThat(kernel.figures().accuracy()).isGreaterThan(0.95);
        assertThat(kernel.get(PushFigure.HITS)).isEqualTo(kernel.minors).isEqualTo(kernel.touchedTimes);
        assertThat(kernel.get(PushFigure.MAJOR)).isEqualTo(kernel.majors);
    }

    @Test
    void theServerIsToldOfEachPageOnceAndFartherAheadThanTheKernelIsAsked() {
        ScriptedKernel kernel = kernel();
        List<Long> server = new ArrayList<>();
        kernel.server = server;
        for (long page = 0; page < 20_000; page += 10) {
            kernel.touch(page);
        }
        assertThat(server).doesNotHaveDuplicates();
        assertThat(server.size()).isGreaterThan((int) kernel.get(PushFigure.PUSHED) * 9 / 10);
        long lastTold = server.getLast();
        assertThat(lastTold - 20_000).as("pages ahead").isGreaterThan(StreamPushPolicy.MOST_LEAD * 10L);
        assertThat(lastTold - 20_000).isLessThanOrEqualTo(StreamPushPolicy.MOST_TOLD * 10L);
        assertThat(kernel.majors).isLessThan(20);
    }

    @Test
    void theServerIsNotToldOfWhatRandomFaultsDoNotAskFor() {
        ScriptedKernel kernel = kernel();
        List<Long> server = new ArrayList<>();
        kernel.server = server;
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < 20_000; i++) {
            kernel.touch(random.nextInt(PAGES));
        }
        assertThat(server.size()).isLessThan((int) kernel.majors / 50);
    }

    @Test
    void downwardsIsAsGoodAsUpwards() {
        ScriptedKernel kernel = kernel();
        for (long page = PAGES - 1; page >= PAGES - 6000; page -= 3) {
            kernel.touch(page);
        }
        assertThat(kernel.majors).isLessThan(20);
    }

    @Test
    void interleavedStreamsAreToldApart() {
        ScriptedKernel kernel = kernel();
        for (int i = 0; i < 2000; i++) {
            kernel.touch(10L * i);
            kernel.touch(PAGES / 2 + 7L * i);
            kernel.touch(PAGES - 1 - 3L * i);
        }
        assertThat(kernel.figures().coverage()).isGreaterThan(0.9);
        assertThat(kernel.figures().accuracy()).isGreaterThan(0.9);
    }

    @Test
    void streamsThatLieNearEachOtherAreToldApart() {
        ScriptedKernel kernel = kernel();
        for (int i = 0; i < 3000; i++) {
            kernel.touch(20L * i);
            kernel.touch(20L * i + 403);
        }
        assertThat(kernel.figures().coverage()).isGreaterThan(0.9);
    }

    @Test
    void randomFaultsAreLeftAlone() {
        ScriptedKernel kernel = kernel();
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < 20_000; i++) {
            kernel.touch(random.nextInt(PAGES));
        }
        assertThat(kernel.get(PushFigure.PUSHED)).isLessThan(kernel.majors / 50);
    }

    @Test
    void randomFaultsInASmallAreaAreLeftAlone() {
        ScriptedKernel kernel = new ScriptedKernel(PAGES, 512, PushSettings.DEFAULT);
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < 20_000; i++) {
            kernel.touch(random.nextInt(2048));
        }
        assertThat(kernel.get(PushFigure.PUSHED)).isLessThan(kernel.majors / 10);
    }

    @Test
    void aProgramThatNeverWaitsForTheDeviceIsLeftAlone() {
        ScriptedKernel kernel = kernel();
        for (long page = 0; page < 5000; page++) { // as when memory is filled for the first time
            kernel.pusher().fault(page, kernel.now());
            kernel.work(1000);
            kernel.push();
        }
        assertThat(kernel.get(PushFigure.FAULTS)).isEqualTo(5000);
        assertThat(kernel.get(PushFigure.CALLS)).isZero();
    }

    @Test
    void nothingIsAskedForThatIsInMemory() {
        ScriptedKernel kernel = kernel();
        for (long page = 0; page < PAGES; page++) {
            if (page / 100 % 2 == 1) {
                kernel.makeResident(page); // patches of 100 pages, longer than a stream may skip
            }
        }
        for (long page = 0; page < 20_000; page++) {
            kernel.touch(page);
        }
        assertThat(kernel.figures().accuracy()).isGreaterThan(0.98);
        assertThat(kernel.figures().coverage()).isGreaterThan(0.98);
    }

    @Test
    void aFastProgramIsLedByMoreThanASlowOne() {
        ScriptedKernel fast = kernel();
        ScriptedKernel slow = kernel();
        for (long page = 0; page < 2000; page++) {
            fast.touch(page);
            slow.touch(page);
            slow.work(2_000_000);
        }
        fast.pusher().tidy(fast.now());
        slow.pusher().tidy(slow.now());
        assertThat(fast.figures().waiting()).isGreaterThan(80).isLessThanOrEqualTo(256);
        assertThat(slow.figures().waiting()).isLessThanOrEqualTo(64 + 16);
    }

    @Test
    void noMoreIsOnItsWayThanTheDeviceTakes() {
        ScriptedKernel kernel = kernel();
        for (int i = 0; i < 1000; i++) {
            for (int stream = 0; stream < 16; stream++) {
                kernel.touch(stream * 4000L + i);
            }
        }
        assertThat(kernel.mostOnTheWay).isLessThanOrEqualTo(DeviceLimits.MOST_IN_FLIGHT);
        assertThat(kernel.largestCall).isLessThanOrEqualTo(TargetMemory.MOST_AT_ONCE);
    }

    @Test
    void slowCallsMakeBatchesAndWhatIsOnItsWaySmall() {
        ScriptedKernel kernel = kernel();
        for (long page = 0; page < 1000; page++) {
            kernel.touch(page);
        }
        long before = kernel.get(PushFigure.SLOW);
        kernel.callNanos = 20_000_000;
        for (long page = 1000; page < 3000; page++) {
            kernel.touch(page);
        }
        kernel.largestCall = 0;
        for (long page = 3000; page < 4000; page++) {
            kernel.touch(page);
        }
        assertThat(before).isZero();
        assertThat(kernel.get(PushFigure.SLOW)).isPositive();
        assertThat(kernel.largestCall).isLessThanOrEqualTo(4);
    }

    @Test
    void whatIsPushedAndUntouchedStaysWithinItsShare() {
        ScriptedKernel kernel = kernel();
        kernel.pusher().limit(20);
        for (long page = 0; page < 3000; page++) {
            kernel.touch(page);
            kernel.pusher().tidy(kernel.now());
            assertThat(kernel.figures().waiting()).isLessThanOrEqualTo(20);
        }
        assertThat(kernel.get(PushFigure.HITS)).isGreaterThan(1500);
    }

    @Test
    void aSmallMemoryDoesNotThrash() {
        ScriptedKernel kernel = new ScriptedKernel(PAGES, 64, PushSettings.DEFAULT);
        kernel.pusher().limit(8);
        for (long page = 0; page < 5000; page++) {
            kernel.touch(page);
        }
        assertThat(kernel.evictedUnused).isLessThan(50);
        assertThat(kernel.majors).isLessThan(5000);
    }

    @Test
    void aPageThatWasEvictedBeforeItsTouchIsNoHit() {
        ScriptedKernel kernel = new ScriptedKernel(PAGES, 24, PushSettings.DEFAULT);
        for (long page = 0; page < 2000; page++) {
            kernel.touch(page);
        }
        assertThat(kernel.get(PushFigure.EVICTED)).isPositive();
        assertThat(kernel.get(PushFigure.HITS)).isEqualTo(kernel.minors);
    }

    @Test
    void aStreamWhosePagesAreNotWantedIsGivenUp() {
        ScriptedKernel kernel = kernel();
        SplittableRandom random = new SplittableRandom(3);
        long page = 0;
        for (int i = 0; i < 3000; i++) {
            // In step three times, and then somewhere else.
            page = i % 4 == 0 ? random.nextInt(PAGES - 100) : page + 5;
            kernel.touch(page);
        }
        assertThat(kernel.get(PushFigure.PUSHED)).isLessThan(kernel.majors / 4);
    }

    @Test
    void theEndOfTheMappingStopsTheStream() {
        ScriptedKernel kernel = kernel();
        kernel.mappedTo = 1500;
        kernel.showsPages = false;
        for (long page = 0; page < 1500; page++) {
            kernel.touch(page);
        }
        long calls = kernel.get(PushFigure.CALLS);
        for (int i = 0; i < 100; i++) {
            kernel.push();
        }
        assertThat(kernel.get(PushFigure.CALLS)).isEqualTo(calls);
        assertThat(kernel.majors).isLessThan(50);
        assertThat(kernel.get(PushFigure.REFUSED)).isLessThan(20);
    }

    @Test
    void unmappedMemoryIsNotAskedForAgainAndAgain() {
        ScriptedKernel kernel = kernel();
        for (long page = 0; page < 500; page++) {
            kernel.touch(page);
        }
        kernel.mappedTo = 0;
        kernel.showsPages = false;
        for (long page = 500; page < 1500; page++) {
            kernel.pusher().fault(page, kernel.now()); // faults go on, somewhere that cannot be pushed
            kernel.work(10_000);
            kernel.push();
        }
        assertThat(kernel.get(PushFigure.REFUSED)).isLessThan(340); // a new stream takes three faults
    }

    @Test
    void aProcessThatHasEndedIsAskedForNothingAnyMore() {
        ScriptedKernel kernel = kernel();
        for (long page = 0; page < 100; page++) {
            kernel.touch(page);
        }
        kernel.ended = true;
        kernel.touch(100);
        for (long page = 101; page < 200; page++) {
            kernel.touch(page);
        }
        assertThat(kernel.pusher().isGone()).isTrue();
    }

    @Test
    void anotherProgramBeginsWithNothing() {
        ScriptedKernel kernel = kernel();
        for (long page = 0; page < 500; page++) {
            kernel.touch(page);
        }
        kernel.exec();
        long calls = kernel.get(PushFigure.CALLS);
        kernel.push();
        assertThat(kernel.get(PushFigure.CALLS)).isEqualTo(calls);
        for (long page = 30_000; page < 31_000; page++) {
            kernel.touch(page);
        }
        assertThat(kernel.get(PushFigure.EXECS)).isOne();
        assertThat(kernel.majors).isLessThan(40);
        assertThat(kernel.figures().accuracy()).isGreaterThan(0.9);
    }

    @Test
    void offWatchesAndPushesNothingAndOnAgainPushes() {
        ScriptedKernel kernel = kernel();
        kernel.pusher().reconfigure(new PushSettings(Policy.OFF, LeapSettings.PUBLISHED));
        for (long page = 0; page < 200; page++) {
            kernel.touch(page);
        }
        assertThat(kernel.get(PushFigure.CALLS)).isZero();
        assertThat(kernel.majors).isEqualTo(200);
        kernel.pusher().reconfigure(PushSettings.DEFAULT);
        for (long page = 200; page < 1000; page++) {
            kernel.touch(page);
        }
        assertThat(kernel.majors).isLessThan(250);
    }

    @Test
    void leapAsPublishedNeedsAWiderWindowForAFastProgram() {
        ScriptedKernel narrow = leap(8);
        ScriptedKernel wide = leap(64);
        for (long page = 0; page < 40_000; page += 10) {
            narrow.touch(page);
            wide.touch(page);
        }
        assertThat(narrow.figures().accuracy()).isGreaterThan(0.95);
        assertThat(narrow.figures().coverage()).isBetween(0.6, 0.95);
        assertThat(wide.figures().coverage()).isGreaterThan(narrow.figures().coverage());
    }

    @Test
    void leapAsPublishedPushesNothingForRandomFaults() {
        ScriptedKernel kernel = leap(8);
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < 5000; i++) {
            kernel.touch(random.nextInt(PAGES));
        }
        assertThat(kernel.get(PushFigure.PUSHED)).isLessThan(50);
    }

    @Test
    void pagesThatNobodyTouchesAreCountedInTheEnd() {
        ScriptedKernel kernel = kernel();
        for (long page = 0; page < 500; page++) {
            kernel.touch(page);
        }
        kernel.work(20_000_000_000L);
        kernel.pusher().tidy(kernel.now());
        assertThat(kernel.figures().waiting()).isZero();
        assertThat(kernel.get(PushFigure.UNUSED)).isPositive();
        assertThat(kernel.get(PushFigure.HITS) + kernel.get(PushFigure.UNUSED) + kernel.get(PushFigure.EVICTED))
                .isEqualTo(kernel.get(PushFigure.PUSHED));
    }

    @Test
    void nothingIsDueForAProcessThatIsNotPushedFor() {
        ScriptedKernel kernel = kernel();
        assertThat(kernel.pusher().due()).isEqualTo(ProcessPusher.FOREVER);
        for (long page = 0; page < 500; page++) {
            kernel.touch(page);
        }
        assertThat(kernel.pusher().due()).isLessThan(kernel.now() + 100_000_000);
        kernel.exec();
        assertThat(kernel.pusher().due()).isEqualTo(ProcessPusher.FOREVER);
    }
}
