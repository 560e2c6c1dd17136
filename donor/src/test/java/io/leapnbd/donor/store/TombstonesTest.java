package io.leapnbd.donor.store;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** A3, F8: no epoch is given out twice, whatever was forgotten; and what is kept for that has a bound. */
class TombstonesTest {

    private final Tombstones tombstones = new Tombstones();

    @Test
    void anExportThatWasNeverHereHasEpochZero() {
        tombstones.bury("a", 7, Identity.ANONYMOUS);
        assertThat(tombstones.epochOf("b")).isZero();
        assertThat(tombstones.exhume("b")).isZero();
    }

    @Test
    void anExportThatComesBackHasItsOwnEpoch() {
        tombstones.bury("a", 7, Identity.ANONYMOUS);
        tombstones.bury("b", 3, Identity.ANONYMOUS);
        assertThat(tombstones.epochOf("a")).isEqualTo(7);
        assertThat(tombstones.exhume("a")).isEqualTo(7);
        assertThat(tombstones.size()).isEqualTo(1);
        tombstones.bury("a", 8, Identity.ANONYMOUS);
        assertThat(tombstones.epochOf("a")).isEqualTo(8);
    }

    @Test
    void whatIsThrownOutRaisesTheFloorForAllThatIsNotKnown() {
        tombstones.bury("high", 1_000, Identity.ANONYMOUS);
        for (int i = 1; i < Tombstones.MOST; i++) {
            tombstones.bury("export " + i, i % 5 + 1, Identity.ANONYMOUS);
        }
        assertThat(tombstones.epochOf("never here")).isZero();

        tombstones.bury("one more", 2, Identity.ANONYMOUS);
        assertThat(tombstones.size()).isEqualTo(Tombstones.MOST);
        assertThat(tombstones.epochOf("high")).isEqualTo(1_000);
        assertThat(tombstones.epochOf("never here")).isEqualTo(1_000);
        assertThat(tombstones.epochOf("one more")).isEqualTo(2);

        for (int i = 0; i < 2 * Tombstones.MOST; i++) {
            tombstones.bury("later " + i, 1, Identity.ANONYMOUS);
        }
        assertThat(tombstones.size()).isEqualTo(Tombstones.MOST);
        assertThat(tombstones.epochOf("one more")).isEqualTo(1_000);
    }

    /** The one that ended last is thrown out last, also if it was known before. */
    @Test
    void anExportThatEndsAgainIsTheYoungest() {
        tombstones.bury("a", 5, Identity.ANONYMOUS);
        tombstones.bury("b", 9, Identity.ANONYMOUS);
        tombstones.bury("a", 6, Identity.ANONYMOUS);
        for (int i = 0; i < Tombstones.MOST - 1; i++) {
            tombstones.bury("export " + i, 1, Identity.ANONYMOUS);
        }
        assertThat(tombstones.epochOf("a")).isEqualTo(6);
        assertThat(tombstones.epochOf("never here")).isEqualTo(9);
    }

    /** Through the store: more exports than there are tombstones come and go, again and again. */
    @Test
    void epochsNeverGoBackHoweverManyExportsThereWere() throws IOException {
        AtomicLong clock = new AtomicLong();
        int names = Tombstones.MOST + 500;
        long[] last = new long[names];
        try (SlabStore store = SlabStore.open(Settings.slabs(1, clock))) {
            for (int round = 0; round < 3; round++) {
                for (int name = 0; name < names; name++) {
                    String export = "export " + name;
                    HelloReply found =
                            requireNonNull(store.hello(Hellos.observe(export)).reply());
                    assertThat(found.epoch()).isGreaterThanOrEqualTo(last[name]);
                    Admission admission = store.hello(Hellos.claim(export, found.epoch(), found.content(), 1));
                    assertThat(admission.status()).isEqualTo(Status.OK);
                    long epoch = requireNonNull(admission.reply()).epoch();
                    assertThat(epoch).isGreaterThan(last[name]);
                    last[name] = epoch;
                    requireNonNull(admission.claim()).close();
                    if (name % 500 == 0) {
                        clock.addAndGet(TimeUnit.HOURS.toNanos(1));
                        store.expireLeases();
                    }
                }
            }
            clock.addAndGet(TimeUnit.HOURS.toNanos(1));
            store.expireLeases();
            assertThat(store.statistics().exports()).isEmpty();
        }
    }
}
