package io.leapnbd.donor.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class ProcessorsTest {

    @Test
    void aPinnedThreadAndThoseThatItStartsMayRunOnOneProcessor() {
        int[] all = Processors.allowed();
        assertThat(all).hasSizeGreaterThanOrEqualTo(1);
        for (int processor : all) {
            assertThat(inThread(() -> {
                        assertThat(Processors.pin(processor)).isTrue();
                        assertThat(Processors.allowed()).containsExactly(processor);
                        return inThread(Processors::allowed);
                    }))
                    .containsExactly(processor);
        }
        assertThat(Processors.allowed()).isEqualTo(all);
    }

    @Test
    void aProcessorThatIsNotThereIsRefusedAndTheThreadRunsWhereItDid() {
        int[] before = Processors.allowed();
        assertThat(Processors.pin(8191)).isFalse();
        assertThat(Processors.allowed()).isEqualTo(before);
    }

    @Test
    void masksAreOfTheFirst64() {
        int first = Processors.allowed()[0];
        if (first < Long.SIZE) {
            long mask = inThread(() -> {
                assertThat(Processors.setAffinity(1L << first)).isZero();
                return Processors.affinity();
            });
            assertThat(mask).isEqualTo(1L << first);
        }
        assertThat(Processors.setAffinity(0)).isEqualTo(-1);
    }

    private static <T> T inThread(Supplier<T> work) {
        CompletableFuture<T> result = new CompletableFuture<>();
        Thread.ofPlatform().start(() -> {
            try {
                result.complete(work.get());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        return result.join();
    }
}
