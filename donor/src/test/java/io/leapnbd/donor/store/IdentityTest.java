package io.leapnbd.donor.store;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An export belongs to the identity that made it, as long as the donor remembers that there was one. */
class IdentityTest {

    private static final Identity WEB = new Identity("web");
    private static final Identity MAIL = new Identity("mail");

    private final AtomicLong clock = new AtomicLong();
    private final AtomicInteger fenced = new AtomicInteger();
    private SlabStore store;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(Settings.slabs(4, clock));
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Test
    void anotherIdentityCanNeitherObserveNorJoinNorClaimAndFencesNobody() {
        Claim web = claim(WEB, "a", 1);
        int handle = store.grant(web, 0, Version.ofGrant(1, 0), SlabCopies.ALONE, new long[0])
                .handle();
        for (Identity other : new Identity[] {MAIL, Identity.ANONYMOUS}) {
            for (Hello hello : new Hello[] {
                Hellos.observe("a"),
                Hello.join("a", 1, 1, Hellos.instance(1)),
                Hellos.claim("a", 1, Hellos.CONTENT, 2),
                Hellos.claim("a", true, 1, Hellos.CONTENT, Hellos.CONTENT, 2)
            }) {
                Admission refused = hello(other, hello);
                assertThat(refused.status()).isEqualTo(Status.OTHER_IDENTITY);
                assertThat(refused.belongsTo()).isEqualTo(WEB);
                assertThat(refused.reply()).isNull();
                assertThat(refused.claim()).isNull();
            }
        }
        assertThat(fenced).hasValue(0);
        assertThat(store.ping(web)).isEqualTo(Status.OK);
        ByteBuf page = Unpooled.directBuffer(4096).writeZero(4096);
        assertThat(store.write(web, handle, 0, 4096, 1, page, 0)).isEqualTo(Status.OK);
        page.release();
    }

    @Test
    void theSameIdentityTakesItsExportOverByTheUsualRules() {
        Claim first = claim(WEB, "a", 1);
        Admission second = hello(WEB, Hellos.claim("a", 1, Hellos.CONTENT, 2));
        assertThat(second.status()).isEqualTo(Status.OK);
        assertThat(requireNonNull(second.claim()).identity()).isEqualTo(WEB);
        assertThat(store.ping(first)).isEqualTo(Status.FENCED);
        assertThat(fenced).hasValue(1);
    }

    @Test
    void anExportOfNobodyBelongsToNobodyElse() {
        claim(Identity.ANONYMOUS, "a", 1);
        Admission refused = hello(WEB, Hellos.observe("a"));
        assertThat(refused.status()).isEqualTo(Status.OTHER_IDENTITY);
        assertThat(refused.belongsTo()).isEqualTo(Identity.ANONYMOUS);
    }

    @Test
    void aNameStaysItsOwnersAfterTheLeaseHasEnded() {
        claim(WEB, "a", 1).close();
        clock.addAndGet(TimeUnit.HOURS.toNanos(1));
        assertThat(hello(MAIL, Hellos.observe("a")).belongsTo()).isEqualTo(WEB);
        assertThat(hello(MAIL, Hellos.claim("a", 1, HelloReply.NONE, 2)).status())
                .isEqualTo(Status.OTHER_IDENTITY);
        assertThat(store.statistics().exports()).isEmpty();

        Admission back = hello(WEB, Hellos.claim("a", 1, HelloReply.NONE, 3));
        assertThat(back.status()).isEqualTo(Status.OK);
        assertThat(requireNonNull(back.reply()).epoch()).isEqualTo(2);
    }

    @Test
    void aNameThatWasGivenUpStaysItsOwners() {
        Claim web = claim(WEB, "a", 1);
        assertThat(store.release(web)).isEqualTo(Status.OK);
        web.close();
        assertThat(hello(MAIL, Hellos.observe("a")).belongsTo()).isEqualTo(WEB);
    }

    @Test
    void identitiesDoNotMeetWhereTheirExportsHaveOtherNames() {
        claim(WEB, "a", 1);
        claim(MAIL, "b", 2);
        assertThat(store.statistics().exports())
                .extracting(ExportStatistics::identity)
                .containsExactlyInAnyOrder(WEB, MAIL);
    }

    /** What is not remembered is nobody's; {@code TombstonesTest} has the bound. */
    @Test
    void whoseATombstoneWasGoesWithIt() {
        Tombstones tombstones = new Tombstones();
        tombstones.bury("a", 7, WEB);
        assertThat(tombstones.identityOf("a")).isEqualTo(WEB);
        for (int i = 0; i < Tombstones.MOST; i++) {
            tombstones.bury("export " + i, 1, MAIL);
        }
        assertThat(tombstones.identityOf("a")).isNull();
        assertThat(tombstones.epochOf("a")).isEqualTo(7);
    }

    @Test
    void aNameThatNoCertificateCouldHaveIsNoIdentity() {
        for (String bad : new String[] {"", "-a", "A", "a b", "a/b", "x".repeat(65), "ä"}) {
            assertThatThrownBy(() -> new Identity(bad)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    private Admission hello(Identity identity, Hello hello) {
        return store.hello(hello, identity, identity.name(), fenced::incrementAndGet);
    }

    private Claim claim(Identity identity, String export, long server) {
        Admission admission = hello(identity, Hellos.claim(export, server));
        assertThat(admission.status()).isEqualTo(Status.OK);
        return requireNonNull(admission.claim());
    }
}
