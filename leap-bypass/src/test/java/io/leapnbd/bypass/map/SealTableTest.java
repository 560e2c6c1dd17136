package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.SealTable.Fit;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * The rules of docs/seals.md against an oracle that knows which bytes donors may hold: these always fit; and where it is known which ones they hold,
 * nothing else does. Servers are killed between any two stores, and the next one goes on with the same words.
 */
class SealTableTest {

    private static final int PAGES = 4;
    private static final int STEPS = 200_000;
    private static final int SEALS = 6;

    private final long seed = new Random().nextLong();
    private final Random random = new Random(seed);
    private final MemorySegment words = Arena.ofAuto().allocate(PAGES * SealTable.WORD, 8);
    private SealTable table = new SealTable(words);

    /** What donors may hold of a page. */
    private static final class Page {

        /** Seals of the bytes that may be there. */
        Set<Integer> may = new HashSet<>();

        /** Whether other bytes may be there, too: nobody knows what was there before. */
        boolean anything = true;

        /** Whether a write is under way, of these bytes. */
        int underWay = SealTable.NONE;

        boolean known() {
            return !anything && may.size() == 1;
        }
    }

    @Test
    void whatMayBeThereFitsAndWhereItIsKnownNothingElseDoes() {
        Page[] pages = new Page[PAGES];
        for (int i = 0; i < PAGES; i++) {
            pages[i] = new Page();
        }
        for (int step = 0; step < STEPS; step++) {
            int number = random.nextInt(PAGES);
            Page page = pages[number];
            if (page.underWay != SealTable.NONE) {
                end(number, page);
            } else {
                begin(number, page);
            }
            if (random.nextInt(20) == 0) {
                for (Page all : pages) {
                    // Killed: what was under way may have been done or not.
                    all.underWay = SealTable.NONE;
                }
                table = new SealTable(words);
            }
            check(number, page, step);
        }
    }

    private void begin(int number, Page page) {
        int next = 1 + random.nextInt(SEALS);
        switch (random.nextInt(12)) {
            case 0 -> {
                // It was blank.
                int zeros = 1 + random.nextInt(SEALS);
                table.begin(number, zeros, next);
                page.may = new HashSet<>(Set.of(zeros));
                page.may.add(next);
                page.anything = false;
            }
            case 1 -> {
                // It was lost: only the new bytes may come back.
                table.begin(number, next, next);
                page.may = new HashSet<>(Set.of(next));
                page.anything = false;
            }
            case 2 -> {
                table.forget(number, number + 1);
                page.may = new HashSet<>();
                page.anything = true;
                return;
            }
            case 3 -> {
                // A look at all copies has chosen.
                int chosen = page.may.isEmpty() ? next : page.may.iterator().next();
                table.settle(number, chosen);
                page.may = new HashSet<>(Set.of(chosen));
                page.anything = false;
                return;
            }
            default -> {
                // Of an open page the bytes before are not known any more: three would have to fit.
                page.anything |= SealTable.open(table.word(number));
                table.begin(number, next);
                page.may.add(next);
            }
        }
        page.underWay = next;
    }

    private void end(int number, Page page) {
        if (random.nextInt(4) != 0) {
            table.commit(number);
            page.may = new HashSet<>(Set.of(page.underWay));
            page.anything = false;
        }
        page.underWay = SealTable.NONE;
    }

    private void check(int number, Page page, int step) {
        long word = table.word(number);
        for (int seal = 1; seal <= SEALS + 1; seal++) {
            Fit fit = SealTable.fit(word, seal);
            if (page.may.contains(seal) || page.anything) {
                assertThat(fit)
                        .as("seal %d, step %d, seed %d", seal, step, seed)
                        .isNotEqualTo(Fit.WRONG);
            } else {
                assertThat(fit)
                        .as("seal %d, step %d, seed %d", seal, step, seed)
                        .isEqualTo(Fit.WRONG);
            }
            if (page.known() && page.may.contains(seal)) {
                assertThat(fit)
                        .as("seal %d, step %d, seed %d", seal, step, seed)
                        .isEqualTo(Fit.RIGHT);
            }
            if (!page.anything && page.may.size() > 1) {
                assertThat(fit).as("step %d, seed %d", step, seed).isNotEqualTo(Fit.RIGHT);
            }
        }
    }

    @Test
    void nothingIsKnownOfAPageAtFirst() {
        assertThat(SealTable.unsealed(table.word(3))).isTrue();
        assertThat(SealTable.fit(table.word(3), 77)).isEqualTo(Fit.RIGHT);
    }

    @Test
    void aHalfWithItsHighestBitSetIsNoPartOfTheOther() {
        table.begin(1, 5, -2);
        assertThat(SealTable.before(table.word(1))).isEqualTo(5);
        assertThat(SealTable.newest(table.word(1))).isEqualTo(-2);
        table.commit(1);
        assertThat(SealTable.open(table.word(1))).isFalse();
        assertThat(SealTable.fit(table.word(1), -2)).isEqualTo(Fit.RIGHT);
    }
}
