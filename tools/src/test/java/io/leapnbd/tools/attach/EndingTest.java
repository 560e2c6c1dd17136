package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.linux.FdChannel;
import io.leapnbd.tools.service.ServiceNotice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The end of a device that nobody swaps on: what a server that attaches itself, and {@code attach}, wait for. */
class EndingTest {
    private static final long LIMIT_SECONDS = 30;

    /** No machine has so many. */
    private static final Path DEVICE = Path.of("/dev/nbd999999");

    private static final Keeper.Driver DRIVER = new Keeper.Driver() {
        @Override
        public boolean reconnect(int index, FdChannel socket) {
            return true;
        }

        @Override
        public boolean isConfigured(int index) {
            return true;
        }
    };

    /** Each waits for the other, so that neither may wait for a thread. */
    private static final Executor THREADS = task -> Thread.ofPlatform().daemon().start(task);

    private final ServiceNotice notice = ServiceNotice.here();
    private final CopyOnWriteArrayList<String> lines = new CopyOnWriteArrayList<>();

    private interface Scenario {
        void play(Ending ending, CompletableFuture<Keeper.End> kept) throws Exception;
    }

    private void ending(Path directory, Scenario scenario) throws Exception {
        try (var _ = new ScriptedServer(directory.resolve("s"), "leap content=one")) {
            Server target = ScriptedServer.at(directory.resolve("s"));
            Server.Link link = target.open(System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS));
            FdChannel[] connections = {link.channel()};
            try (SwapOffChild child = SwapOffChild.start();
                    Keeper keeper =
                            new Keeper(target, link.info(), 0, DRIVER, NbdDriver.events(), connections, lines::add)) {
                CompletableFuture<Keeper.End> kept = CompletableFuture.supplyAsync(() -> run(keeper), THREADS);
                try {
                    scenario.play(new Ending(keeper, child, DEVICE, lines::add), kept);
                } finally {
                    keeper.stop();
                    kept.get(LIMIT_SECONDS, TimeUnit.SECONDS);
                }
            }
        }
    }

    private static Keeper.End run(Keeper keeper) {
        try {
            return keeper.run();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void it_lets_the_keeper_go_and_waits_until_all_is_undone(@TempDir Path directory) throws Exception {
        ending(directory, (ending, kept) -> {
            CompletableFuture<Boolean> ended = CompletableFuture.supplyAsync(() -> end(ending), THREADS);
            assertThat(kept.get(LIMIT_SECONDS, TimeUnit.SECONDS)).isEqualTo(Keeper.End.STOPPED);
            assertThat(ended).isNotDone();
            ending.unlessBegun(() -> lines.add("swaps although nobody would end it"));
            ending.finished();
            assertThat(ended.get(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
            assertThat(lines).isEmpty();
        });
    }

    @Test
    void what_has_ended_already_is_not_ended_again(@TempDir Path directory) throws Exception {
        ending(directory, (ending, kept) -> {
            ending.finished();
            assertThat(end(ending)).isFalse();
            assertThat(kept).isNotDone();
        });
    }

    private boolean end(Ending ending) {
        try {
            return ending.end(notice);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
