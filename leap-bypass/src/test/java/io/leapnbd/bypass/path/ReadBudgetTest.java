package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class ReadBudgetTest {

    private final ReadBudget budget = new ReadBudget(ReadBudget.ONE_IN);

    private int takeAll() {
        int taken = 0;
        while (taken < 1000 && budget.take()) {
            taken++;
        }
        return taken;
    }

    @Test
    void theFirstOneIsThereAfterTwentyReads() {
        for (int i = 0; i < 19; i++) {
            budget.earn();
            assertThat(budget.take()).isFalse();
        }
        budget.earn();
        assertThat(budget.take()).isTrue();
        assertThat(budget.take()).isFalse();
    }

    @Test
    void neverAreMoreThanFivePercentTaken() {
        Random random = new Random(1);
        int reads = 0;
        int taken = 0;
        for (int i = 0; i < 100_000; i++) {
            budget.earn();
            reads++;
            if (random.nextInt(1000) == 0) {
                taken += takeAll();
            } else if (random.nextInt(10) == 0 && budget.take()) {
                taken++;
            }
            assertThat(taken * 20).isLessThanOrEqualTo(reads);
        }
        assertThat(taken).isGreaterThan(reads / 25);
    }

    @Test
    void whatIsNotUsedIsKeptUpToABound() {
        for (int i = 0; i < 1_000_000; i++) {
            budget.earn();
        }
        assertThat(takeAll()).isEqualTo(ReadBudget.MOST);
    }
}
