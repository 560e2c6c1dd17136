package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** F8: what a claim is told of the versions before it is exact, however many links write at that moment. */
class TakeoverVersionsTest {

    private static final int LINKS = 3;
    private static final int ROUNDS = 150;

    /** One link of the server that is about to be fenced off: writes and trims with growing versions until it is refused. */
    private static final class Writer implements Runnable {

        private final Lent slab;
        private final AtomicLong versions;
        private final ByteBuf page = Pages.untracked(PAGE);

        /** Highest version that was answered OK, and highest that was sent. */
        private volatile long applied;

        private volatile long sent;

        Writer(Lent slab, AtomicLong versions) {
            this.slab = slab;
            this.versions = versions;
        }

        @Override
        public void run() {
            byte status;
            do {
                long version = versions.incrementAndGet();
                sent = version;
                page.setLong(0, slab.server());
                page.setLong(8, version);
                status = version % 7 == 0
                        ? slab.store().trim(slab.claim(), slab.handle(), 0, PAGE, version)
                        : slab.store().write(slab.claim(), slab.handle(), 0, PAGE, version, page, 0);
                if (status == Status.OK) {
                    applied = version;
                }
            } while (status == Status.OK);
            if (status != Status.FENCED) {
                throw new AssertionError(Status.name(status));
            }
        }
    }

    @Test
    void everyVersionThatWasAppliedIsBelowThoseOfTheNextServer() throws Exception {
        try (SlabStore store = SlabStore.open(Settings.slabs(1))) {
            Lent slab = Lent.grant(store, "a", 1, 0);
            long sumOfHighest = 0;
            for (long server = 1; server <= ROUNDS; server++) {
                AtomicLong versions = new AtomicLong();
                Writer[] writers = new Writer[LINKS];
                Thread[] threads = new Thread[LINKS];
                for (int i = 0; i < LINKS; i++) {
                    Claim link = i == 0 ? slab.claim() : join(store, server);
                    writers[i] = new Writer(slab.as(link, server), versions);
                    threads[i] = Thread.ofPlatform().start(writers[i]);
                }
                // One link goes in between: what it has done counts all the same.
                while (versions.get() < 20) {
                    Thread.onSpinWait();
                }
                if (server % 2 == 0) {
                    writers[1].slab.claim().close();
                }
                Admission admission = store.hello(Hellos.claim("a", server, Hellos.CONTENT, server + 1));
                assertThat(admission.status()).isEqualTo(Status.OK);
                long told = requireNonNull(admission.reply()).highest();
                slab = slab.as(requireNonNull(admission.claim()), server + 1);
                assertThat(slab.write(0, PAGE, 0, server)).isEqualTo(Status.OK);
                assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(server, PAGE));
                long sent = 0;
                for (int i = 0; i < LINKS; i++) {
                    threads[i].join();
                    assertThat(writers[i].applied).isLessThanOrEqualTo(told);
                    sent = Math.max(sent, writers[i].sent);
                }
                assertThat(told).isLessThanOrEqualTo(sent);
                assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(server, PAGE));
                sumOfHighest += told;
                // Exact: the sum of what all servers were told, and nothing more.
                assertThat(slab.claim().base).isEqualTo(sumOfHighest);
                sumOfHighest = slab.claim().base;
            }
            assertThat(store.statistics().stalePages()).isGreaterThanOrEqualTo(0);
        }
    }

    private static Claim join(SlabStore store, long server) {
        Admission joined = store.hello(Hello.join("a", 0, server, Hellos.instance(server)));
        assertThat(joined.status()).isEqualTo(Status.OK);
        return requireNonNull(joined.claim());
    }

    @Test
    void theReplyTellsTheHighestVersionOfTheOwnerAlone() throws IOException {
        try (SlabStore store = SlabStore.open(Settings.slabs(1))) {
            Lent first = Lent.grant(store, "a", 1, 0);
            first.write(0, PAGE, 41, 1);
            first.write(0, PAGE, 6, 1);
            HelloReply found = requireNonNull(
                    store.hello(Hellos.claim("a", 1, Hellos.CONTENT, 2)).reply());
            assertThat(found.highest()).isEqualTo(42);
            assertThat(requireNonNull(store.hello(Hellos.observe("a")).reply()).highest())
                    .isZero();
            Lent second = first.as(Lent.claim(store, "a", 2), 2);
            assertThat(second.claim().base).isEqualTo(42);
            assertThat(second.trim(0, PAGE, 0)).isEqualTo(Status.OK);
            assertThat(second.read(0, PAGE)).isEqualTo(new byte[PAGE]);
            assertThat(store.write(second.claim(), second.handle(), 0, 0, Version.MAX_REQUEST, Pages.untracked(1), 0))
                    .isEqualTo(Status.OK);
            assertThat(requireNonNull(store.hello(Hellos.observe("a")).reply()).highest())
                    .isEqualTo(Version.MAX_REQUEST);
        }
    }
}
