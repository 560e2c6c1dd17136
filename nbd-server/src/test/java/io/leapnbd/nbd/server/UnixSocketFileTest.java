package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.TestServer;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnixSocketFileTest {

    @TempDir
    private Path folder;

    private static TestServer server() {
        return TestServer.of(new MemoryDevice(1 << 20));
    }

    private List<String> files() throws IOException {
        try (Stream<Path> all = Files.list(folder)) {
            return all.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aServerThatEndsLeavesTheFileOfItsSuccessor() throws IOException {
        // G1
        Path path = folder.resolve("s.sock");
        try (TestServer first = server();
                TestServer second = server()) {
            Listener old = first.server().listenUnix(path);
            Files.delete(path);
            Listener fresh = second.server().listenUnix(path);
            old.close();
            try (NbdClient client = NbdClient.connect(fresh.uri(), TestServer.PATIENCE)) {
                client.flush();
            }
            fresh.close();
            assertThat(files()).isEmpty();
        }
    }

    @Test
    void onlyItsUserMayConnectAndNothingElseIsLeft() throws IOException {
        Path path = folder.resolve("s.sock");
        try (TestServer server = server();
                Listener _ = server.server().listenUnix(path)) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                    .isEqualTo("rw-------");
            assertThat(files()).containsExactly("s.sock");
        }
    }

    @Test
    void aGroupMayConnectIfItIsToldSoAndNobodyBeforeThat() throws Exception {
        Path path = folder.resolve("s.sock");
        int own = (Integer) Files.getAttribute(folder, "unix:gid");
        int gid = "root".equals(System.getProperty("user.name")) ? own + 1 : own;
        GroupPrincipal group = folder.getFileSystem()
                .getUserPrincipalLookupService()
                .lookupPrincipalByGroupName(Integer.toString(gid));
        UnixAccess access = new UnixAccess(PosixFilePermissions.fromString("rw-rw----"), group);
        List<String> seen = new ArrayList<>();
        UnixSocketFile file = UnixSocketFile.create(path, access, at -> {
            ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                    .bind(UnixDomainSocketAddress.of(at))
                    .close();
            // Until it is as it is to be, nobody else gets as far as the socket.
            seen.add(PosixFilePermissions.toString(Files.getPosixFilePermissions(at.getParent())));
            seen.add(Boolean.toString(Files.exists(path)));
        });
        assertThat(seen).containsExactly("rwx------", "false");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                .isEqualTo("rw-rw----");
        assertThat(Files.getAttribute(path, "unix:gid")).isEqualTo(gid);
        file.close();
        assertThat(files()).isEmpty();
    }

    @Test
    void whatIsNoSocketStays() throws Exception {
        // F11
        Path fifo = folder.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor())
                .isZero();
        Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("nowhere"));
        Path file = Files.createFile(folder.resolve("file"));
        Path inside = Files.createDirectory(folder.resolve("folder"));
        try (TestServer server = server()) {
            for (Path path : List.of(fifo, link, file, inside, Path.of("/dev/null"))) {
                assertThatThrownBy(() -> server.server().listenUnix(path))
                        .isInstanceOf(IOException.class)
                        .hasMessage(path + " exists and is not a socket; choose another path or remove it");
                assertThat(Files.exists(path, LinkOption.NOFOLLOW_LINKS)).isTrue();
            }
        }
        assertThat(files()).containsExactly("fifo", "file", "folder", "link");
    }

    @Test
    void ofManyThatWantAStalePathOneGetsIt() throws Exception {
        Path path = folder.resolve("s.sock");
        try (ServerSocketChannel killed = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            killed.bind(UnixDomainSocketAddress.of(path));
        }
        try (TestServer server = server();
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Listener>> tries = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                tries.add(() -> server.server().listenUnix(path));
            }
            List<Listener> listening = new ArrayList<>();
            for (Future<Listener> one : threads.invokeAll(tries)) {
                if (one.state() == Future.State.SUCCESS) {
                    listening.add(one.resultNow());
                } else {
                    assertThat(one.exceptionNow()).hasMessageContaining("a server is listening on");
                }
            }
            assertThat(listening).hasSize(1);
            try (NbdClient client = NbdClient.connect(listening.getFirst().uri(), TestServer.PATIENCE)) {
                client.flush();
            }
        }
        assertThat(files()).isEmpty();
    }
}
