package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FencingTest {

    private SlabStore store;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(Settings.slabs(4));
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Test
    void aNewerClaimFencesOffEverythingOfTheOlder() {
        Lent old = Lent.grant(store, "a", 1, 0);
        old.write(0, PAGE, 1, 1);
        Claim young = Lent.claim(store, "a", 2);

        assertThat(old.claim().fenced()).isTrue();
        assertThat(old.write(0, PAGE, 2, 2)).isEqualTo(Status.FENCED);
        assertThat(old.trim(0, PAGE, 3)).isEqualTo(Status.FENCED);
        assertThat(old.tryRead(0, PAGE)).isEqualTo(Status.FENCED);
        assertThat(store.grant(old.claim(), 1, 4).status()).isEqualTo(Status.FENCED);
        assertThat(store.free(old.claim(), old.handle(), Version.ofGrant(1, 0))).isEqualTo(Status.FENCED);
        assertThat(store.list(old.claim(), 0).status()).isEqualTo(Status.FENCED);
        assertThat(store.statistics().fenced()).isEqualTo(6);
        assertThat(old.as(young, 2).read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
    }

    @Test
    void linksOfTheSameServerShareTheClaim() {
        Lent one = Lent.grant(store, "a", 5, 0);
        Claim two = Lent.claim(store, "a", 5);

        assertThat(one.as(two, 5).write(0, PAGE, 1, 1)).isEqualTo(Status.OK);
        assertThat(one.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
    }

    @Test
    void exportsDoNotFenceEachOther() {
        Lent a = Lent.grant(store, "a", 1, 0);
        Lent.claim(store, "b", 9);

        assertThat(a.write(0, PAGE, 1, 1)).isEqualTo(Status.OK);
    }

    @Test
    void anObserverFencesNobody() {
        Lent a = Lent.grant(store, "a", 3, 0);
        store.hello(Hellos.observe("a"));

        assertThat(a.write(0, PAGE, 1, 1)).isEqualTo(Status.OK);
    }

    @Test
    void theOlderLinksAreToldOnce() {
        AtomicInteger told = new AtomicInteger();
        store.hello(Hellos.claim("a", 1), told::incrementAndGet);
        Hello join = Hello.join("a", 1, 1, Hellos.instance(1));
        store.hello(join, told::incrementAndGet);
        requireNonNull(store.hello(join, told::incrementAndGet).claim()).close();
        Lent.claim(store, "a", 1);
        assertThat(told).hasValue(0);

        Lent.claim(store, "a", 2);
        Lent.claim(store, "a", 3);
        assertThat(told).hasValue(2);
    }

    /** B7: one link that cannot be told does not leave the others' queue pairs running. */
    @Test
    void aLinkThatCannotBeToldDoesNotKeepTheOthersFromIt() {
        AtomicInteger told = new AtomicInteger();
        store.hello(Hellos.claim("a", 1), () -> {
            throw new IllegalStateException("on purpose");
        });
        store.hello(Hello.join("a", 1, 1, Hellos.instance(1)), told::incrementAndGet);
        Lent.claim(store, "a", 2);
        assertThat(told).hasValue(1);
    }

    /**
     * The old server is in the middle of long writes, on two threads, when the new one claims: what the new one sees then must
     * not change any more.
     */
    @Test
    void nothingChangesAfterTheNewerClaimHasReturned() throws Exception {
        int slabSize = 16 << 20;
        int tail = 16 * PAGE;
        ByteBuf[] contents = {Pages.untracked(slabSize), Pages.untracked(slabSize)};
        try (SlabStore large = SlabStore.open(StoreSettings.ofMemory(slabSize, slabSize))) {
            Lent old = Lent.grant(large, "a", 1, 0);
            for (long epoch = 1; epoch <= 30; epoch++) {
                Lent mine = old;
                AtomicInteger done = new AtomicInteger();
                Thread[] writers = new Thread[contents.length];
                for (int i = 0; i < writers.length; i++) {
                    ByteBuf content = contents[i];
                    content.setLong(slabSize - 8, epoch * 10 + i);
                    long lane = i;
                    writers[i] = Thread.ofPlatform().start(() -> {
                        long count = lane;
                        while (large.write(mine.claim(), mine.handle(), 0, slabSize, mine.version(count), content, 0)
                                == Status.OK) {
                            content.setLong(slabSize - 8, content.getLong(slabSize - 8) + 1_000);
                            count += contents.length;
                            done.incrementAndGet();
                        }
                    });
                }
                while (done.get() < 3) {
                    Thread.onSpinWait();
                }
                Lent young = mine.as(Lent.claim(large, "a", epoch + 1), epoch + 1);
                byte[] seen = young.read(slabSize - tail, tail);
                for (Thread writer : writers) {
                    writer.join();
                }
                assertThat(Arrays.equals(young.read(slabSize - tail, tail), seen))
                        .isTrue();
                old = young;
            }
        }
    }
}
