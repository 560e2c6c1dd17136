package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.client.FirstPage;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.linux.FdChannel;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.linux.SwapHeader;
import io.leapnbd.tools.linux.SwapOwner;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * The header of a swap area as the claim of one machine to an export: written before swapping begins, wiped when it has ended.
 * A header that is there says that somebody swaps on the export, or died doing so.
 *
 * <p>Two machines that begin at the same moment may both find a blank page. NBD has no compare-and-set, so each writes its
 * header within {@link #QUICKLY} of looking, and looks again {@link #SETTLED} later: only the last one finds its own.
 */
final class SwapClaim {
    private static final String LABEL = "leap-nbd";
    private static final long LIMIT = TimeUnit.SECONDS.toNanos(5);
    private static final long QUICKLY = TimeUnit.MILLISECONDS.toNanos(500);
    private static final long SETTLED = TimeUnit.SECONDS.toNanos(1);
    private static final int TRIES = 5;

    private final FdChannel channel;
    private final FirstPage page;
    private final UUID uuid;
    private long written;

    private SwapClaim(FdChannel channel, UUID uuid) {
        this.channel = channel;
        this.page = new FirstPage(channel);
        this.uuid = uuid;
    }

    /**
     * What the first page has, over a connection that is otherwise unused. A donor that is stopped is no reason not to adopt a
     * device, so that there is no answer is a finding; the connection is of no use then.
     */
    static AttachPlan.Page look(FdChannel channel) throws IOException {
        channel.deadline(System.nanoTime() + LIMIT);
        try {
            return classify(new FirstPage(channel).read());
        } catch (FirstPage.Refused e) {
            return new AttachPlan.Page.Unreadable(String.valueOf(e.getMessage()));
        } catch (SocketTimeoutException e) {
            return new AttachPlan.Page.Unreadable("the server does not answer a read of the export's first page in "
                    + TimeUnit.NANOSECONDS.toSeconds(LIMIT) + " s");
        }
    }

    static AttachPlan.Page classify(ByteBuffer page) {
        Optional<UUID> uuid = SwapHeader.uuid(page);
        if (uuid.isPresent()) {
            return new AttachPlan.Page.Header(uuid.get(), SwapHeader.owner(page));
        }
        return page.equals(ByteBuffer.allocate(FirstPage.SIZE))
                ? new AttachPlan.Page.Blank()
                : new AttachPlan.Page.Data();
    }

    /**
     * Writes a new header if the page is still as it was found.
     *
     * @param channel a connection of the export's that is otherwise unused
     * @param found what the decision to claim the export was made on
     * @param bytes size of the export
     */
    static SwapClaim take(FdChannel channel, AttachPlan.Page found, long bytes, UUID uuid) throws IOException {
        SwapClaim claim = new SwapClaim(channel, uuid);
        ByteBuffer header = SwapHeader.encode(bytes, FirstPage.SIZE, uuid, LABEL, SwapOwner.of(Machine.here()));
        AttachPlan.Page expected = found;
        for (int i = 0; i < TRIES; i++) {
            long looked = System.nanoTime();
            AttachPlan.Page now = look(channel);
            if (!now.equals(expected)) {
                throw new CommandFailure(
                        ExitCode.FAILED, "somebody else has just made a swap area on the export; nothing is attached");
            }
            channel.deadline(System.nanoTime() + LIMIT);
            claim.page.write(header);
            claim.written = System.nanoTime();
            if (claim.written - looked < QUICKLY) {
                return claim;
            }
            // Whoever looked after us may have looked for the second time already, so this writing does not count.
            expected = classify(header);
        }
        throw new IOException("the server is too slow: it takes more than " + TimeUnit.NANOSECONDS.toMillis(QUICKLY)
                + " ms to read and write a page");
    }

    /** Waits until everybody who may have found the page as it was has written, and looks who was last. */
    void confirm() throws IOException {
        long left = written + SETTLED - System.nanoTime();
        if (left > 0) {
            try {
                TimeUnit.NANOSECONDS.sleep(left);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        channel.deadline(System.nanoTime() + LIMIT);
        if (SwapHeader.uuid(page.read()).filter(uuid::equals).isEmpty()) {
            throw new CommandFailure(
                    ExitCode.FAILED, "another machine has just made a swap area on the export; nothing is attached");
        }
    }

    /**
     * Wipes the header, so that the export is anybody's again; leaves one alone that is not {@code uuid}'s.
     *
     * @throws IOException when the server cannot be asked: then the header stays, and {@code attach} on this machine passes
     *     over it
     */
    static void release(Server server, UUID uuid) throws IOException {
        Server.Link link = server.open(System.nanoTime() + LIMIT);
        try (FdChannel channel = link.channel()) {
            FirstPage page = new FirstPage(channel);
            if (SwapHeader.uuid(page.read()).filter(uuid::equals).isPresent()) {
                page.write(ByteBuffer.allocate(FirstPage.SIZE));
            }
        }
    }
}
