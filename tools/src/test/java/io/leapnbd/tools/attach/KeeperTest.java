package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.client.ExportInfo;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.FdChannel;
import io.leapnbd.tools.linux.LinuxException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The keeper against real sockets, with the driver's part played. */
class KeeperTest {
    private static final long LIMIT_SECONDS = 30;

    private final PlayedDriver driver = new PlayedDriver();
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
    private final Path path;
    private ScriptedServer server;

    KeeperTest(@TempDir Path directory) throws IOException {
        path = directory.resolve("s");
        server = new ScriptedServer(path, "leap content=one");
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    /** Takes sockets as the kernel does, or as it does on a bad day. */
    private static final class PlayedDriver implements Keeper.Driver {
        private final BlockingQueue<Integer> taken = new LinkedBlockingQueue<>();
        private final AtomicInteger notNoticed = new AtomicInteger();
        private volatile boolean configured = true;

        @Override
        public boolean reconnect(int index, FdChannel socket) throws IOException {
            if (!configured) {
                throw new LinuxException("netlink request", Errno.EINVAL);
            }
            if (notNoticed.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
                return false;
            }
            taken.add(socket.fd());
            return true;
        }

        @Override
        public boolean isConfigured(int index) {
            return configured;
        }
    }

    private interface Scenario {
        void play(Keeper keeper, CompletableFuture<Keeper.End> end) throws Exception;
    }

    private void keeping(Scenario scenario) throws Exception {
        Server target = ScriptedServer.at(path);
        Server.Link link = target.open(System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS));
        try (Keeper keeper = new Keeper(
                target, link.info(), 0, driver, NbdDriver.events(), new FdChannel[] {link.channel()}, lines::add)) {
            CompletableFuture<Keeper.End> end = CompletableFuture.supplyAsync(() -> run(keeper));
            try {
                scenario.play(keeper, end);
            } finally {
                keeper.stop();
                end.get(LIMIT_SECONDS, TimeUnit.SECONDS);
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

    private void awaitTaken() throws InterruptedException {
        assertThat(driver.taken.poll(LIMIT_SECONDS, TimeUnit.SECONDS))
                .as("a socket for the driver")
                .isNotNull();
    }

    private void awaitLine(String part) throws InterruptedException {
        String line;
        do {
            line = lines.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
            assertThat(line).as("a line with " + part).isNotNull();
        } while (line != null && !line.contains(part));
    }

    @Test
    void a_dropped_connection_is_replaced() throws Exception {
        keeping((keeper, end) -> {
            server.drop();
            awaitTaken();
            awaitLine("is back");
            server.drop();
            awaitTaken();
        });
    }

    @Test
    void the_watchdog_sees_whether_the_keeper_goes_on() throws Exception {
        keeping((keeper, end) -> {
            assertThat(keeper.turns(TimeUnit.SECONDS.toNanos(LIMIT_SECONDS))).isTrue();
            keeper.stop();
            end.get(LIMIT_SECONDS, TimeUnit.SECONDS);
            assertThat(keeper.turns(TimeUnit.MILLISECONDS.toNanos(50))).isFalse();
        });
    }

    @Test
    void a_server_that_is_away_for_a_while_is_waited_for() throws Exception {
        keeping((keeper, end) -> {
            server.close();
            awaitLine("no server");
            server = new ScriptedServer(path, "leap content=one");
            awaitTaken();
        });
    }

    @Test
    void other_contents_are_never_handed_over_and_the_right_ones_are_later() throws Exception {
        keeping((keeper, end) -> {
            server.close();
            server = new ScriptedServer(path, "leap content=two");
            awaitLine("the server lost the export's contents: they are two, they were one");
            assertThat(driver.taken).isEmpty();
            server.close();
            server = new ScriptedServer(path, "leap content=one");
            awaitTaken();
        });
    }

    @Test
    void a_driver_that_has_not_noticed_yet_is_asked_again() throws Exception {
        driver.notNoticed.set(3);
        keeping((keeper, end) -> {
            server.drop();
            awaitTaken();
            assertThat(driver.notNoticed).hasValue(0);
        });
    }

    @Test
    void a_device_that_somebody_else_disconnected_ends_the_keeping() throws Exception {
        keeping((keeper, end) -> {
            driver.configured = false;
            server.drop();
            assertThat(end.get(LIMIT_SECONDS, TimeUnit.SECONDS)).isEqualTo(Keeper.End.DISCONNECTED);
        });
    }

    @Test
    void a_device_whose_process_has_died_gets_a_connection_at_once() throws Exception {
        Server target = ScriptedServer.at(path);
        ExportInfo info = info(target);
        try (Keeper keeper = new Keeper(target, info, 0, driver, NbdDriver.events(), new FdChannel[2], lines::add)) {
            keeper.restore();
            assertThat(driver.taken).hasSize(2);
            awaitLine("was lost before, and is back");
        }
    }

    @Test
    void a_connection_that_lives_as_far_as_the_kernel_knows_is_left_alone() throws Exception {
        Server target = ScriptedServer.at(path);
        ExportInfo info = info(target);
        driver.notNoticed.set(1);
        try (Keeper keeper = new Keeper(target, info, 0, driver, NbdDriver.events(), new FdChannel[1], lines::add)) {
            keeper.restore();
            assertThat(driver.taken).isEmpty();
            assertThat(lines).isEmpty();
        }
    }

    private static ExportInfo info(Server target) throws IOException {
        Server.Link link = target.open(System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS));
        link.channel().close();
        return link.info();
    }

    @Test
    void it_ends_when_it_is_told_to() throws Exception {
        keeping((keeper, end) -> {
            keeper.stop();
            assertThat(end.get(LIMIT_SECONDS, TimeUnit.SECONDS)).isEqualTo(Keeper.End.STOPPED);
            assertThat(lines).isEmpty();
        });
    }
}
