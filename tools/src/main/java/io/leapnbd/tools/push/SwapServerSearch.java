package io.leapnbd.tools.push;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.tools.client.FirstPage;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.http.RunFile;
import io.leapnbd.tools.linux.ProcessMemory;
import io.leapnbd.tools.linux.SwapArea;
import io.leapnbd.tools.linux.SwapHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Finds the server that keeps a swap area of this machine: the one whose export begins with the same header. So nobody has to say which device
 * is which export, and a wrong server is never told. One thread.
 */
public final class SwapServerSearch {

    private static final long LIMIT = TimeUnit.SECONDS.toNanos(5);

    /** Only this one; null for those that run on this machine. */
    private final @Nullable Server named;

    private SwapServerSearch(@Nullable Server named) {
        this.named = named;
    }

    /** Among the servers that run on this machine. */
    static SwapServerSearch amongRunning() {
        return new SwapServerSearch(null);
    }

    /**
     * The server on this machine that an agent would tell what it pushes; only looked for, and not told anything.
     *
     * @throws IOException in one sentence, if there is none
     */
    public static String found() throws IOException {
        try (SwapServer server = amongRunning().find()) {
            return server.uri();
        }
    }

    /** At one place only. */
    static SwapServerSearch at(Server server) {
        return new SwapServerSearch(server);
    }

    /**
     * Connects to the server that keeps a swap area.
     *
     * @throws IOException in one sentence, if there is none
     */
    SwapServer find() throws IOException {
        List<SwapArea> areas = SwapArea.inUse();
        if (areas.isEmpty()) {
            throw new IOException("nothing is swapped to");
        }
        List<Optional<UUID>> headers = new ArrayList<>();
        for (SwapArea area : areas) {
            headers.add(header(area));
        }
        List<String> why = new ArrayList<>();
        for (String uri : uris()) {
            try {
                Server server = named == null ? Server.parse(uri) : named;
                SwapServer found = connect(server, headers);
                if (found != null) {
                    return found;
                }
                why.add(uri + " keeps none of this machine's swap areas");
            } catch (IOException | IllegalArgumentException e) {
                why.add(uri + ": " + e.getMessage());
            }
        }
        throw new IOException(why.isEmpty() ? "no server runs on this machine" : String.join("; ", why));
    }

    private List<String> uris() {
        return named != null
                ? List.of(named.uri())
                : RunFile.running().stream()
                        .filter(run -> run.role().equals("serve"))
                        .map(RunFile::uri)
                        .toList();
    }

    private static @Nullable SwapServer connect(Server server, List<Optional<UUID>> headers) throws IOException {
        Server.Link link = server.open(System.nanoTime() + LIMIT);
        boolean used = false;
        try {
            Optional<UUID> uuid = SwapHeader.uuid(new FirstPage(link.channel()).read());
            int area = uuid.isEmpty() ? -1 : headers.indexOf(uuid);
            if (area < 0) {
                return null;
            }
            if (!link.info().has(Transmission.SEND_CACHE)) {
                throw new IOException("the server does not take NBD's request CACHE");
            }
            used = true;
            // Areas are listed in the order of their numbers, which has gaps where one was taken away. A single one is
            // known anyway.
            return new SwapServer(link.channel(), server.uri(), headers.size() == 1 ? ProcessMemory.ANY_AREA : area);
        } finally {
            if (!used) {
                link.channel().close();
            }
        }
    }

    private static Optional<UUID> header(SwapArea area) {
        try (SeekableByteChannel file = Files.newByteChannel(area.device())) {
            ByteBuffer page = ByteBuffer.allocate(FirstPage.SIZE);
            while (page.hasRemaining() && file.read(page) >= 0) {
                // a device gives whole pages
            }
            return page.hasRemaining() ? Optional.empty() : SwapHeader.uuid(page.flip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
