package io.leapnbd.tools.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FirstDonorsTest {

    private static final DonorSource SOURCE = DonorSource.parse("etcd://h0/lab");
    private static final List<DonorAddress> BEFORE = DonorAddress.parseList("h1:1?zone=a,h2:1");
    private static final Duration LONG = Duration.ofMinutes(1);

    private final DonorNews news = new DonorNews() {
        @Override
        public void close() {
            // It has nothing.
        }
    };

    @Test
    void beginsWithTheDonorsOfBeforeWhileTheRegistryIsDead() throws Exception {
        boolean _ = news.complain("nobody listens there");
        assertThat(await(BEFORE, 1 << 30, 1, LONG)).isEqualTo(BEFORE);
    }

    @Test
    void beginsWithTheDonorsOfBeforeWhenTheRegistryIsEmpty() throws Exception {
        news.post(new DonorListing(List.of(), List.of()));
        assertThat(await(BEFORE, 1 << 30, 1, LONG)).isEqualTo(BEFORE);
    }

    @Test
    void addsThoseThatAreRegisteredNow() throws Exception {
        news.post(new DonorListing(List.of(donor("h2", 0), donor("h3", 0)), List.of()));
        assertThat(await(BEFORE, 1 << 30, 1, LONG))
                .extracting(DonorAddress::machine)
                .containsExactly("zone a", "h2", "h3");
    }

    @Test
    void waitsUntilThereIsRoomOnEnoughMachines() throws Exception {
        news.post(new DonorListing(List.of(donor("h1", 5)), List.of()));
        CompletableFuture<List<DonorAddress>> first = CompletableFuture.supplyAsync(() -> {
            try {
                return await(List.of(), 8, 2, LONG);
            } catch (NoDonorsException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        news.post(new DonorListing(List.of(donor("h1", 9)), List.of()));
        Thread.sleep(50);
        assertThat(first).isNotDone();
        news.post(new DonorListing(List.of(donor("h1", 5), donor("h2", 3)), List.of()));
        assertThat(first.get()).hasSize(2);
    }

    @Test
    void goesOnWithThoseThatThereAreWhenTheTimeIsOver() throws Exception {
        news.post(new DonorListing(List.of(donor("h1", 1)), List.of()));
        assertThat(await(List.of(), 8, 1, Duration.ofMillis(10))).hasSize(1);
    }

    @Test
    void saysWhyThereIsNobody() {
        boolean _ = news.complain("nobody listens there");
        assertThatThrownBy(() -> await(List.of(), 8, 1, Duration.ofMillis(10)))
                .isInstanceOf(NoDonorsException.class)
                .hasMessageContaining("nobody listens there");
        news.post(new DonorListing(List.of(), List.of("registered as k: no JSON")));
        assertThatThrownBy(() -> await(List.of(), 8, 1, Duration.ofMillis(10)))
                .hasMessageContaining(
                        "no donor is registered in etcd://h0:2379/lab that can be used (registered as k: no JSON)");
    }

    @Test
    void remembersDonors(@TempDir Path folder) throws IOException {
        Path state = folder.resolve("leap.state");
        assertThat(new RememberedDonors(state).read()).isEmpty();
        new RememberedDonors(state).write("tcp://h1:1?zone=a,tcp://h2:1");
        assertThat(new RememberedDonors(state).read()).isEqualTo(BEFORE);
        Files.writeString(folder.resolve("leap.state.donors"), "?!");
        assertThat(new RememberedDonors(state).read()).isEmpty();
    }

    private List<DonorAddress> await(List<DonorAddress> before, long bytes, int machines, Duration patience)
            throws NoDonorsException, InterruptedException {
        return FirstDonors.await(SOURCE, news, new DonorWishes(false, ""), before, bytes, machines, patience);
    }

    private static DonorRecord donor(String host, long free) {
        return new DonorRecord(
                new HostPort(host, 1),
                EnumSet.of(Transport.TCP),
                "",
                "",
                "",
                "",
                DonorRecord.State.READY,
                0,
                -1,
                free,
                List.of());
    }
}
