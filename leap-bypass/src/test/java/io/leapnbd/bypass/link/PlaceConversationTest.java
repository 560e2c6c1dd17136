package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.net.DonorServer;
import io.leapnbd.donor.net.ServerSettings;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** What a start says to a real donor about the copies of its slabs. */
class PlaceConversationTest {

    private static final String EXPORT = "swap0";
    private static final UUID INSTANCE = new UUID(1, 1);
    private static final SlabName OTHER = new SlabName(new UUID(5, 6), 1, 1);

    private record Listed(int index, long grantVersion, long generation, SlabCopies copies) {}

    private static List<Listed> list(Conversation talk) throws Exception {
        List<Listed> all = new ArrayList<>();
        talk.list((index, handle, grantVersion, generation, touched, copies) ->
                all.add(new Listed(index, grantVersion, generation, copies)));
        return all;
    }

    private static Hello claim(SlabStore store) {
        HelloReply found =
                Objects.requireNonNull(store.hello(Hello.observe(EXPORT, 0)).reply());
        return Hello.claim(
                EXPORT,
                0,
                false,
                found.epoch(),
                found.content(),
                found.noteVersion(),
                new UUID(2, 2),
                INSTANCE,
                1,
                new UUID(4, 4),
                "test",
                ByteBuffer.allocate(0));
    }

    private static SlabStore open() throws Exception {
        return SlabStore.open(StoreSettings.ofMemory(4L * ScriptedDonor.SLAB_SIZE, ScriptedDonor.SLAB_SIZE)
                .withLock(false)
                .withReadySlabs(0));
    }

    /** A donor with a slab that is filling and one that is the only copy. */
    private static void check(SlabStore store, Conversation talk) throws Exception {
        Admission admission = store.hello(claim(store));
        Claim granting = Objects.requireNonNull(admission.claim());
        long first = Version.ofGrant(1, 0);
        int filled =
                store.grant(granting, 2, first, SlabCopies.FILLING, new long[0]).handle();
        int alone = store.grant(granting, 3, first).handle();
        long epoch = Objects.requireNonNull(admission.reply()).epoch();
        assertThat(talk.hello(Hello.join(EXPORT, 0, epoch, INSTANCE)).status()).isEqualTo(Status.OK);
        assertThat(list(talk))
                .containsExactly(
                        new Listed(2, first, first, SlabCopies.FILLING), new Listed(3, first, first, SlabCopies.ALONE));

        SlabCopies both = SlabCopies.live(List.of(OTHER, new SlabName(store.incarnation(), filled, first)));
        assertThat(talk.place(filled, first + 2, both)).isEqualTo(Status.OK);
        assertThat(talk.place(filled, first + 2, both)).isEqualTo(Status.OK);
        assertThat(talk.place(filled, first + 1, both)).isEqualTo(Status.STALE);
        assertThat(talk.place(
                        99, first + 2, SlabCopies.live(List.of(OTHER, new SlabName(store.incarnation(), 99, first)))))
                .isEqualTo(Status.NOT_OWNER);
        assertThat(list(talk))
                .containsExactly(new Listed(2, first, first + 2, both), new Listed(3, first, first, SlabCopies.ALONE));
        assertThat(talk.free(filled, first)).isEqualTo(Status.STALE);
        assertThat(talk.free(filled, first + 2)).isEqualTo(Status.OK);
        assertThat(talk.free(alone, first)).isEqualTo(Status.OK);
        assertThat(list(talk)).isEmpty();
        granting.close();
    }

    @Test
    void overTcp() throws Exception {
        ServerSettings settings = ServerSettings.listenOn(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .withLoops(LoopSettings.of(1));
        try (SlabStore store = open();
                DonorServer server = DonorServer.start(store, settings);
                Conversation talk = new ProtocolConversation(
                        SocketExchange.connect(List.of(server.address()), Duration.ofSeconds(30), null))) {
            check(store, talk);
        }
    }

    @Test
    void byMethodCalls() throws Exception {
        try (SlabStore store = open();
                Conversation talk =
                        new LocalConnector(new Donor("embedded", new IgnoringListener() {}), store).talk(EXPORT)) {
            check(store, talk);
        }
    }
}
