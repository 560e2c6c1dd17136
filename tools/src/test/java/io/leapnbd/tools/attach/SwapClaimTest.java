package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.client.FirstPage;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.linux.FdChannel;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.linux.SwapHeader;
import io.leapnbd.tools.linux.SwapOwner;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** E1: the first page of an export says who swaps on it. */
class SwapClaimTest {
    private static final long LIMIT = TimeUnit.SECONDS.toNanos(30);
    private static final UUID FIRST = new UUID(1, 1);
    private static final UUID SECOND = new UUID(2, 2);
    private static final AttachPlan.Page BLANK = new AttachPlan.Page.Blank();

    private final ScriptedServer server;
    private final Server target;
    private final FdChannel channel;

    SwapClaimTest(@TempDir Path directory) throws IOException {
        Path path = directory.resolve("s");
        server = new ScriptedServer(path, "leap content=one");
        target = ScriptedServer.at(path);
        channel = connect();
    }

    private FdChannel connect() throws IOException {
        return target.open(System.nanoTime() + LIMIT).channel();
    }

    @AfterEach
    void stop() throws IOException {
        channel.close();
        server.close();
    }

    private void make(UUID uuid) {
        ByteBuffer header =
                SwapHeader.encode(ScriptedServer.SIZE, FirstPage.SIZE, uuid, "leap-nbd", SwapOwner.of(Machine.here()));
        synchronized (server.page) {
            header.get(server.page);
        }
    }

    private static AttachPlan.Page claimed(UUID uuid) {
        return new AttachPlan.Page.Header(uuid, Optional.of(SwapOwner.of(Machine.here())));
    }

    @Test
    void a_claim_is_seen_by_others_until_it_is_released() throws IOException {
        assertThat(SwapClaim.look(channel)).isEqualTo(BLANK);
        SwapClaim.take(channel, BLANK, ScriptedServer.SIZE, FIRST).confirm();
        try (FdChannel other = connect()) {
            assertThat(SwapClaim.look(other)).isEqualTo(claimed(FIRST));
            SwapClaim.release(target, FIRST);
            assertThat(SwapClaim.look(other)).isEqualTo(BLANK);
        }
    }

    @Test
    void a_header_that_is_not_ones_own_is_not_wiped() throws IOException {
        make(SECOND);
        SwapClaim.release(target, FIRST);
        assertThat(SwapClaim.look(channel)).isEqualTo(claimed(SECOND));
    }

    @Test
    void who_comes_second_between_the_look_and_the_claim_overwrites_nothing() throws IOException {
        AttachPlan.Page found = SwapClaim.look(channel);
        make(SECOND);
        assertThatThrownBy(() -> SwapClaim.take(channel, found, ScriptedServer.SIZE, FIRST))
                .isInstanceOf(CommandFailure.class)
                .hasMessageContaining("somebody else");
        assertThat(SwapClaim.look(channel)).isEqualTo(claimed(SECOND));
    }

    @Test
    void who_is_overwritten_at_the_same_moment_gives_way() throws IOException {
        SwapClaim claim = SwapClaim.take(channel, BLANK, ScriptedServer.SIZE, FIRST);
        make(SECOND);
        assertThatThrownBy(claim::confirm).isInstanceOf(CommandFailure.class).hasMessageContaining("another machine");
    }

    @Test
    void a_page_that_the_server_cannot_read_is_not_taken_for_a_blank_one() throws IOException {
        server.error = 5;
        assertThat(SwapClaim.look(channel)).isInstanceOf(AttachPlan.Page.Unreadable.class);
        server.error = 0;
        assertThat(SwapClaim.look(channel))
                .as("the connection is as good as before")
                .isEqualTo(BLANK);
    }

    @Test
    void other_data_is_not_taken_for_a_blank_page() throws IOException {
        synchronized (server.page) {
            server.page[4095] = 1;
        }
        assertThat(SwapClaim.look(channel)).isEqualTo(new AttachPlan.Page.Data());
    }
}
