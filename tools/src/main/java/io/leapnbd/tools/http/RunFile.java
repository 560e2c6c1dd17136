package io.leapnbd.tools.http;

import io.leapnbd.nbd.tls.ServerIdentity;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.linux.PrivateFolder;
import io.leapnbd.tools.linux.StartTime;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How other commands find a running server or donor: one small file a process, in {@code /run/leap-nbd} for root, else in
 * {@code $XDG_RUNTIME_DIR/leap-nbd}, else in a folder of the user's own under {@code /tmp}.
 *
 * @param pid process id
 * @param role the command, {@code serve} or {@code donor}
 * @param http where its HTTP endpoint listens; null if it has none
 * @param uri where it accepts connections; of several addresses, the first
 * @param token the file of the token that its endpoint asks for; null for none
 * @param certificates the folder of the certificates that its endpoint speaks TLS with; null if it does not
 * @param config its file of settings; null for none
 * @param instance which of several it is; null for none
 * @param shows which certificate its endpoint shows, as {@link ServerIdentity#fingerprint()} has it; null without TLS
 */
public record RunFile(
        long pid,
        String role,
        @Nullable HostPort http,
        String uri,
        @Nullable Path token,
        @Nullable Path certificates,
        @Nullable Path config,
        @Nullable String instance,
        @Nullable String shows) {

    /** Of a file that does not say when its process began: that is told by another clock than when a file was written. */
    private static final Duration CLOCKS_DIFFER = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(RunFile.class);

    private static final Path SYSTEM = Path.of("/run/leap-nbd");
    private static final String SUFFIX = ".run";

    /** One whose endpoint asks for nothing. */
    RunFile(long pid, String role, @Nullable HostPort http, String uri) {
        this(pid, role, http, uri, null, null, null, null, null);
    }

    /** A client of its endpoint; null if it has none. */
    public @Nullable EndpointClient client() {
        return http == null ? null : EndpointOptions.client(http, token, certificates, this);
    }

    /** The folder that this user's processes write to; it need not exist. */
    public static Path folder() {
        String explicit = System.getenv("LEAP_NBD_RUN_DIR");
        if (explicit != null && !explicit.isEmpty()) {
            return Path.of(explicit);
        }
        String user = System.getProperty("user.name", "nobody");
        if (user.equals("root")) {
            return SYSTEM;
        }
        String runtime = System.getenv("XDG_RUNTIME_DIR");
        return runtime != null && Files.isDirectory(Path.of(runtime))
                ? Path.of(runtime, "leap-nbd")
                : Path.of("/tmp", "leap-nbd-" + user);
    }

    /** The socket of a server that is an instance, unless its settings name another. */
    public static Path socketOf(String instance) {
        return folder().resolve(instance + ".sock");
    }

    /**
     * Writes the file, which only this user may read.
     *
     * @throws IOException if the folder or the file cannot be written, or the folder is somebody else's
     */
    public Path write(Path folder) throws IOException {
        PrivateFolder.require(folder, folder.equals(SYSTEM) ? "rwxr-xr-x" : "rwx------");
        Properties properties = new Properties();
        properties.setProperty("role", role);
        StartTime.of(pid).ifPresent(ticks -> properties.setProperty("started", ticks.toString()));
        properties.setProperty("uri", uri);
        if (http != null) {
            properties.setProperty("http", http.toString());
        }
        if (token != null) {
            properties.setProperty("token", token.toString());
        }
        if (certificates != null) {
            properties.setProperty("certificates", certificates.toString());
        }
        if (config != null) {
            properties.setProperty("config", config.toString());
        }
        if (instance != null) {
            properties.setProperty("instance", instance);
        }
        if (shows != null) {
            properties.setProperty("shows", shows);
        }
        StringWriter text = new StringWriter();
        properties.store(text, null);
        Path file = folder.resolve(pid + SUFFIX);
        // Written beside it and renamed, so that nobody reads half of it, and neither follows a link nor opens what is
        // there.
        Path part = folder.resolve("." + pid + ".part");
        Files.deleteIfExists(part);
        Files.createFile(part, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(part, text.toString(), StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        return file;
    }

    /** As below, of a process without a file of settings. */
    public static @Nullable Path register(String role, @Nullable HttpEndpoint endpoint, String uri) {
        return register(role, endpoint, uri, null, null);
    }

    /** Writes this process's file; null, and a line in the log, if that cannot be done. */
    public static @Nullable Path register(
            String role,
            @Nullable HttpEndpoint endpoint,
            String uri,
            @Nullable Path config,
            @Nullable String instance) {
        if (endpoint != null) {
            // Commands of this machine know the endpoint by its certificate, which is another one then.
            endpoint.access().afterwards(() -> {
                Path _ = writeOrWarn(of(role, endpoint, uri, config, instance));
            });
        }
        return writeOrWarn(of(role, endpoint, uri, config, instance));
    }

    private static RunFile of(
            String role,
            @Nullable HttpEndpoint endpoint,
            String uri,
            @Nullable Path config,
            @Nullable String instance) {
        EndpointAccess access = endpoint == null ? EndpointAccess.OPEN : endpoint.access();
        BearerToken secret = access.token();
        Path tls = access.folder();
        ServerIdentity identity = access.identity();
        return new RunFile(
                ProcessHandle.current().pid(),
                role,
                endpoint == null ? null : endpoint.address(),
                uri,
                secret == null ? null : secret.file().toAbsolutePath(),
                tls == null ? null : tls.toAbsolutePath(),
                config == null ? null : config.toAbsolutePath(),
                instance,
                identity == null ? null : identity.fingerprint());
    }

    private static @Nullable Path writeOrWarn(RunFile file) {
        try {
            return file.write(folder());
        } catch (IOException e) {
            log.warn(
                    "{} cannot be written ({}), so other commands need --http to find this process",
                    folder(),
                    e.getMessage());
            return null;
        }
    }

    /** Those of all processes that still run, of this user and of root. Files of dead ones are removed where permitted. */
    public static List<RunFile> running() {
        List<RunFile> running = new ArrayList<>(readAll(folder()));
        if (!folder().equals(SYSTEM)) {
            running.addAll(readAll(SYSTEM));
        }
        return running;
    }

    /** Whether root has such files, which this user may not read. */
    static boolean areHidden() {
        if (!Files.isDirectory(SYSTEM)) {
            return false;
        }
        try (DirectoryStream<Path> files =
                Files.newDirectoryStream(SYSTEM, file -> file.toString().endsWith(SUFFIX) && !Files.isReadable(file))) {
            return files.iterator().hasNext();
        } catch (IOException e) {
            return true;
        }
    }

    /** The files in one folder whose process still runs. */
    static List<RunFile> readAll(Path folder) {
        List<RunFile> found = new ArrayList<>();
        if (!PrivateFolder.isSafe(folder)) {
            return found;
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*" + SUFFIX)) {
            for (Path file : files) {
                RunFile read = read(file);
                if (read != null) {
                    found.add(read);
                } else {
                    remove(file);
                }
            }
        } catch (IOException e) {
            // Another user's folder: it is as if nothing ran.
            return found;
        }
        return found;
    }

    /**
     * Whether the process that wrote a file runs. Another one may have its number by now, of somebody who waited for that: it began at another time.
     *
     * @param started when the process began; null in a file of an earlier version
     */
    private static boolean runs(long pid, Path file, @Nullable String started) throws IOException {
        if (started != null) {
            return StartTime.of(pid)
                    .map(Object::toString)
                    .filter(started::equals)
                    .isPresent();
        }
        Optional<ProcessHandle> process = ProcessHandle.of(pid);
        Instant latest = Files.getLastModifiedTime(file).toInstant().plus(CLOCKS_DIFFER);
        return process.isPresent()
                && process.get()
                        .info()
                        .startInstant()
                        .map(start -> start.isBefore(latest))
                        .orElse(true);
    }

    /** Removes a file that {@link #write} wrote; what cannot be removed is left for {@link #running} to tidy away. */
    public static void remove(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // Not ours to remove.
            return;
        }
    }

    /** What a file says; null if it is not to be believed, or its process has ended. */
    private static @Nullable RunFile read(Path file) {
        String name = file.getFileName().toString();
        Properties properties = new Properties();
        try {
            if (!PrivateFolder.isOwn(file)) {
                return null;
            }
            properties.load(new StringReader(Files.readString(file)));
            long pid = Long.parseLong(name.substring(0, name.length() - SUFFIX.length()));
            if (!runs(pid, file, properties.getProperty("started"))) {
                return null;
            }
            String http = properties.getProperty("http");
            String token = properties.getProperty("token");
            String certificates = properties.getProperty("certificates");
            String config = properties.getProperty("config");
            return new RunFile(
                    pid,
                    properties.getProperty("role", "serve"),
                    http == null ? null : HostPort.parseListen(http),
                    properties.getProperty("uri", ""),
                    token == null ? null : Path.of(token),
                    certificates == null ? null : Path.of(certificates),
                    config == null ? null : Path.of(config),
                    properties.getProperty("instance"),
                    properties.getProperty("shows"));
        } catch (IOException | RuntimeException e) {
            return null;
        }
    }
}
