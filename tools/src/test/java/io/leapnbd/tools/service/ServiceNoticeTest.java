package io.leapnbd.tools.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.linux.NotifySocket;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against a real datagram socket, which perl holds: the JDK has none. */
@Timeout(60)
class ServiceNoticeTest {

    /** Prints each datagram in one line, with commas for its line ends. */
    private static final String LISTENER = """
            use Socket; $| = 1;
            my $name = $ARGV[0]; $name =~ s/^@/\\0/;
            socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($name)) or die "bind: $!";
            print "bound\\n";
            while (defined(recv($s, my $text, 4096, 0))) { $text =~ s/\\n/,/g; print "$text\\n"; }
            """;

    private record ServiceManager(Process process, BufferedReader lines) implements AutoCloseable {
        static ServiceManager at(String address) throws IOException {
            // An abstract name is no more than its bytes: perl would fill the address up with zeros otherwise.
            String script = address.startsWith("@")
                    ? LISTENER.replace("pack_sockaddr_un($name)", "pack('S a*', AF_UNIX, $name)")
                    : LISTENER;
            Process process = new ProcessBuilder("perl", "-e", script, address)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            ServiceManager manager = new ServiceManager(process, process.inputReader(StandardCharsets.UTF_8));
            assertThat(manager.next()).isEqualTo("bound");
            return manager;
        }

        String next() throws IOException {
            return lines.readLine();
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }

    private static ServiceNotice of(String address, String... more) {
        Map<String, String> environment = new java.util.HashMap<>(Map.of("NOTIFY_SOCKET", address));
        for (int i = 0; i < more.length; i += 2) {
            environment.put(more[i], more[i + 1]);
        }
        return ServiceNotice.of(environment, 4711);
    }

    @Test
    void a_service_manager_hears_that_the_service_is_ready_and_that_it_ends(@TempDir Path folder) throws IOException {
        String address = folder.resolve("notify").toString();
        try (ServiceManager manager = ServiceManager.at(address);
                ServiceNotice notice = of(address)) {
            notice.ready("serves export 'a'", nanos -> true);
            assertThat(manager.next()).isEqualTo("READY=1,STATUS=serves export 'a'");
            notice.status("two\nlines");
            assertThat(manager.next()).isEqualTo("STATUS=two?lines");
            notice.stopping("ends", Duration.ofSeconds(3));
            assertThat(manager.next()).isEqualTo("STOPPING=1,STATUS=ends,EXTEND_TIMEOUT_USEC=3000000");
        }
    }

    @Test
    void an_abstract_socket_is_reached() throws IOException {
        String address = "@leap-nbd-test-" + ProcessHandle.current().pid();
        try (ServiceManager manager = ServiceManager.at(address);
                ServiceNotice notice = of(address)) {
            notice.ready("is there", nanos -> true);
            assertThat(manager.next()).isEqualTo("READY=1,STATUS=is there");
        }
    }

    @Test
    void the_watchdog_is_fed_only_while_the_loops_live(@TempDir Path folder) throws Exception {
        String address = folder.resolve("notify").toString();
        AtomicBoolean alive = new AtomicBoolean(true);
        Semaphore asked = new Semaphore(0);
        try (ServiceManager manager = ServiceManager.at(address);
                ServiceNotice notice = of(address, "WATCHDOG_USEC", "40000", "WATCHDOG_PID", "4711")) {
            notice.ready("runs", nanos -> {
                asked.release();
                return alive.get();
            });
            assertThat(manager.next()).startsWith("READY=1");
            assertThat(manager.next()).isEqualTo("WATCHDOG=1");
            alive.set(false);
            asked.drainPermits();
            // One that was under way may still have been taken for alive.
            asked.acquire(4);
            notice.status("mark");
            String line = manager.next();
            while (line.equals("WATCHDOG=1")) {
                line = manager.next();
            }
            assertThat(line).isEqualTo("STATUS=mark");
            asked.acquire(3);
            notice.status("second mark");
            assertThat(manager.next()).isEqualTo("STATUS=second mark");
        }
    }

    @Test
    void another_processs_watchdog_is_not_fed(@TempDir Path folder) throws Exception {
        String address = folder.resolve("notify").toString();
        Semaphore asked = new Semaphore(0);
        try (ServiceManager manager = ServiceManager.at(address);
                ServiceNotice notice = of(address, "WATCHDOG_USEC", "1000", "WATCHDOG_PID", "1")) {
            notice.ready("runs", nanos -> {
                asked.release();
                return true;
            });
            assertThat(manager.next()).startsWith("READY=1");
            assertThat(asked.tryAcquire(200, TimeUnit.MILLISECONDS)).isFalse();
        }
    }

    @Test
    void without_a_service_manager_nothing_is_said_and_nothing_fails(@TempDir Path folder) {
        for (ServiceNotice notice : List.of(
                ServiceNotice.of(Map.of(), 1),
                of(folder.resolve("nobody").toString()),
                of("vsock:2:1234"),
                of("/" + "x".repeat(200)))) {
            try (notice) {
                notice.ready("runs", nanos -> true);
                notice.stopping("ends", Duration.ZERO);
            }
        }
    }

    @Test
    void a_message_that_is_too_long_is_refused(@TempDir Path folder) throws Exception {
        try (NotifySocket socket = NotifySocket.to(folder.resolve("notify").toString())) {
            assertThatThrownBy(() -> socket.send("x".repeat(NotifySocket.MOST + 1)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("1024");
        }
    }
}
