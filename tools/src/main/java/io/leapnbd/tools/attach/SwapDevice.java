package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.service.Pulse;
import io.leapnbd.tools.service.ServiceNotice;
import java.io.IOException;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The swap device of a server that attaches itself: an {@link Attachment} as a part of the server's process, on a thread of its own.
 *
 * <p><b>It never waits for itself.</b> The attachment's thread is a client of the server's event loops, over a Unix socket like any
 * other, and no loop waits for it. It waits inside system calls only, where it holds up no safepoint. What it forks it forks in
 * {@link #prepare}, before the process locks its memory. Files that it reads when it finds its predecessor's device lie in a tmpfs
 * and were written by processes in a cgroup without swap, so none of them can be paged out to that very device. It reads
 * nothing through the device before the kernel has its new connection.
 */
public final class SwapDevice implements Pulse {

    /** Through the queue of the log: who waited for a journal that is swapped out to this device would wait for ever. */
    private static final Logger log = LoggerFactory.getLogger("io.leapnbd.attach");

    private final AttachOptions.Asked asked;
    private final boolean pushes;
    private final CompletableFuture<Resident.Device> ready = new CompletableFuture<>();
    private @Nullable SwapOffChild swapOff;
    private volatile @Nullable Ending ending;
    private volatile Pulse pulse = _ -> true;

    SwapDevice(AttachOptions.Asked asked, boolean pushes) {
        this.asked = asked;
        this.pushes = pushes;
    }

    /** Whether it will push pages for what pages out to it. */
    public boolean pushes() {
        return pushes;
    }

    /**
     * Looks whether devices can be attached here, and forks what ends swapping. Before the process locks its memory and before the
     * server exists.
     *
     * @throws CommandFailure if it is not possible here
     */
    public void prepare() throws IOException {
        NbdDriver.load(line -> log.info("{}", line));
        NbdDriver.open().orElseThrow(NbdDriver::missing).close();
        swapOff = SwapOffChild.start();
    }

    /** Undoes {@link #prepare}; for a process that starts itself anew. */
    public void abandon() {
        SwapOffChild child = swapOff;
        if (child != null) {
            child.close();
            swapOff = null;
        }
    }

    /**
     * Attaches the device, or goes on with the one that is there, and returns when the kernel has a connection and swaps.
     *
     * @param uri of this process's server, over a Unix socket
     * @param ended is told an exit code when the device is not kept connected any more, although nobody has called {@link #end}
     * @return the device, for people: like {@code /dev/nbd0}, with {@code (adopted)} behind it if it was there
     * @throws CommandFailure if it cannot be attached; one sentence says why
     */
    public String attach(String uri, IntConsumer ended) throws IOException {
        Attachment attachment =
                new Attachment(asked.of(Server.parse(uri)), line -> log.info("{}", line), new ServerProcess());
        Thread.ofPlatform().name("attach").daemon().start(() -> stay(attachment, ended));
        try {
            Resident.Device device = ready.get();
            return device.path() + device.how();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException failure -> throw failure;
                case RuntimeException failure -> throw failure;
                case null, default -> throw new IllegalStateException(e.getCause());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailure(ExitCode.FAILED, "interrupted while the device was attached", e);
        }
    }

    private void stay(Attachment attachment, IntConsumer ended) {
        try {
            attachment.run();
            ended.accept(ExitCode.OK);
        } catch (IOException | RuntimeException e) {
            if (!ready.completeExceptionally(e)) {
                log.error("{}", e.getMessage());
                ended.accept(ExitCode.FAILED);
            }
        }
    }

    /** Whether the thread that keeps the device connected goes on. */
    @Override
    public boolean beats(long nanos) throws InterruptedException {
        return pulse.beats(nanos);
    }

    /**
     * Ends swapping, which brings all pages home, and disconnects the device; returns when that is done, however long it is
     * refused. The server has to go on meanwhile. Not for a server that has lost its pages.
     *
     * @param notice is told what it does
     */
    public void end(ServiceNotice notice) {
        Ending begun = ending;
        if (begun == null) {
            return; // nothing is connected yet
        }
        try {
            begun.end(notice);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The process is the server's: protected already, found by its file already, and ended by itself. */
    private final class ServerProcess implements Resident {
        @Override
        public SwapOffChild protect() {
            return Objects.requireNonNull(swapOff);
        }

        @Override
        public void begins(Ending begun) {
            ending = begun;
        }

        @Override
        public boolean hasRunFile() {
            return true;
        }

        @Override
        public void ready(Device device, Pulse beat) {
            pulse = beat;
            ready.complete(device);
        }
    }
}
