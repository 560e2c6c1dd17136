package io.leapnbd.donor.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SlotQueueTest {

    @Test
    void itDoesWhatADequeOfIntegersDoes() {
        SplittableRandom random = new SplittableRandom(5);
        SlotQueue queue = new SlotQueue();
        Deque<Integer> model = new ArrayDeque<>();
        for (int step = 0; step < 100_000; step++) {
            boolean grow = step / 1000 % 2 == 0;
            int choice = random.nextInt(10);
            if (model.isEmpty() || (grow ? choice < 7 : choice < 3)) {
                queue.addLast(step);
                model.addLast(step);
            } else if (choice == 9) {
                int any = model.stream()
                        .skip(random.nextInt(model.size()))
                        .findFirst()
                        .orElseThrow();
                assertThat(queue.remove(any)).isEqualTo(model.removeLastOccurrence(any));
                assertThat(queue.remove(-1)).isFalse();
            } else if (choice % 2 == 0) {
                assertThat(queue.removeFirst()).isEqualTo(model.removeFirst());
            } else {
                assertThat(queue.removeLast()).isEqualTo(model.removeLast());
            }
            assertThat(queue.size()).isEqualTo(model.size());
            if (!model.isEmpty()) {
                assertThat(queue.first()).isEqualTo(model.getFirst());
                assertThat(queue.last()).isEqualTo(model.getLast());
            }
        }
    }
}
