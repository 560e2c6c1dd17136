package io.leapnbd.bypass.cache;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.cache.AccessQueue.Access;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class AccessQueueTest {

    private final Access access = new Access();

    @Test
    void whatIsTakenIsWhatWasAdded() {
        AccessQueue queue = new AccessQueue(4);
        long lastPage = (1L << 40) - 1;
        assertThat(queue.offer(AccessQueue.READ, lastPage, 1, 77, true, Long.MIN_VALUE))
                .isTrue();
        assertThat(queue.offer(AccessQueue.TRIM, 0, Integer.MAX_VALUE, (1 << 20) - 1, false, Long.MAX_VALUE))
                .isTrue();

        assertThat(queue.poll(access)).isTrue();
        assertThat(access.kind()).isEqualTo(AccessQueue.READ);
        assertThat(access.page()).isEqualTo(lastPage);
        assertThat(access.pages()).isEqualTo(1);
        assertThat(access.connection()).isEqualTo(77);
        assertThat(access.hit()).isTrue();
        assertThat(access.nanos()).isEqualTo(Long.MIN_VALUE);

        assertThat(queue.poll(access)).isTrue();
        assertThat(access.kind()).isEqualTo(AccessQueue.TRIM);
        assertThat(access.page()).isZero();
        assertThat(access.pages()).isEqualTo(Integer.MAX_VALUE);
        assertThat(access.connection()).isEqualTo((1 << 20) - 1);
        assertThat(access.hit()).isFalse();
        assertThat(access.nanos()).isEqualTo(Long.MAX_VALUE);
        assertThat(queue.poll(access)).isFalse();
    }

    @Test
    void whatDoesNotFitIsCountedAndLeftOut() {
        AccessQueue queue = new AccessQueue(4);
        for (int lap = 0; lap < 3; lap++) {
            for (int page = 0; page < 6; page++) {
                assertThat(queue.offer(AccessQueue.READ, page, 1, 0, false, 0)).isEqualTo(page < 4);
            }
            for (int page = 0; page < 4; page++) {
                assertThat(queue.isEmpty()).isFalse();
                assertThat(queue.poll(access)).isTrue();
                assertThat(access.page()).isEqualTo(page);
            }
            assertThat(queue.isEmpty()).isTrue();
        }
        assertThat(queue.dropped()).isEqualTo(6);
    }

    @Test
    void manyAddersKeepEachTheirOrderAndNothingIsLostUnseen() throws InterruptedException {
        AccessQueue queue = new AccessQueue(64);
        int adders = 3;
        int each = 200_000;
        List<Thread> threads = new ArrayList<>();
        for (int adder = 0; adder < adders; adder++) {
            int number = adder;
            threads.add(Thread.ofPlatform().start(() -> {
                for (int i = 0; i < each; i++) {
                    boolean _ = queue.offer(AccessQueue.WRITE, i, i % 9 + 1, number, false, 3L * i);
                }
            }));
        }
        long[] last = new long[adders];
        java.util.Arrays.fill(last, -1);
        long taken = 0;
        while (threads.stream().anyMatch(Thread::isAlive) || !queue.isEmpty()) {
            if (queue.poll(access)) {
                taken++;
                assertThat(access.page()).isGreaterThan(last[access.connection()]);
                assertThat(access.pages()).isEqualTo((int) access.page() % 9 + 1);
                assertThat(access.nanos()).isEqualTo(3 * access.page());
                last[access.connection()] = access.page();
            }
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(taken + queue.dropped()).isEqualTo((long) adders * each);
        assertThat(taken).isPositive();
    }
}
