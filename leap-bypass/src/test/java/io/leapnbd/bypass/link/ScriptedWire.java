package io.leapnbd.bypass.link;

import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.RdmaConnection;
import io.leapnbd.donor.rdma.Transfers;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One connection to a {@link ScriptedDonor}. Its two descriptors are those of pipes, so that a real event loop waits on them. */
final class ScriptedWire implements ScriptedConnection, RdmaConnection {

    /** What was sent, the hello included: copies. */
    final List<ByteBuf> sent = new ArrayList<>();

    /** What was seen on the wire, from the server: copies. */
    final List<ByteBuf> seen = new ArrayList<>();

    /** Reads that were posted. */
    final List<Read> reads = new ArrayList<>();

    /** Whether the device is asked for events. */
    boolean armed;

    boolean closed;

    /** Whether nothing can be posted any more. */
    boolean refuses;

    /** Whether the reply to the hello was not given yet. */
    private boolean greeting = true;

    private final ScriptedDonor donor;
    private final RdmaClient.Events events;
    private final ByteBuf[] sendFrames;
    private final ByteBuf[] receiveFrames;
    private final Deque<Integer> freeReceives = new ArrayDeque<>();
    private final Deque<Completion> completions = new ArrayDeque<>();
    private final Deque<Completion> heldBack = new ArrayDeque<>();
    private final Deque<Completion> happenings = new ArrayDeque<>();
    private final FileDescriptor[] connectionPipe;
    private final FileDescriptor[] completionPipe;
    private final @Nullable ScriptedTls tls;

    ScriptedWire(ScriptedDonor donor, RdmaClient.Shape shape, RdmaClient.Events events) {
        this.donor = donor;
        this.events = events;
        tls = donor.shows == null ? null : new ScriptedTls(donor.shows);
        Epoll.ensureAvailability();
        try {
            connectionPipe = FileDescriptor.pipe();
            completionPipe = FileDescriptor.pipe();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        sendFrames = frames(shape.sends(), shape.frameBytes());
        receiveFrames = frames(shape.receives(), shape.frameBytes());
        for (int i = 0; i < receiveFrames.length; i++) {
            freeReceives.add(i);
        }
        happens(() -> events.made(new Slots(), donor.registered(), donor.readSlots));
        happens(events::connected);
    }

    private static ByteBuf[] frames(int count, int bytes) {
        ByteBuf[] frames = new ByteBuf[count];
        for (int i = 0; i < count; i++) {
            frames[i] = Unpooled.buffer(bytes, bytes);
        }
        return frames;
    }

    /** A read as it was posted. */
    record Read(int slot, long to, int localKey, int length, long from, int remoteKey) {}

    /** What is told. */
    private interface Completion {
        void tell() throws IOException;
    }

    // What a test does.

    @Override
    public void breaks() {
        happens(() -> events.disconnected("pulled out"));
    }

    /** A work request fails. */
    void fails() {
        completes(() -> events.failed(12));
    }

    /** Reads are done, too. */
    @Override
    public void answerAll() {
        while (!heldBack.isEmpty()) {
            completes(heldBack.poll());
        }
    }

    @Override
    public void arrives(ByteBuf message) {
        completes(() -> receives(protect(message)));
    }

    /** Likewise, whatever it is. */
    void arrivesAsItIs(ByteBuf message) {
        completes(() -> receives(message));
    }

    private ByteBuf protect(ByteBuf message) {
        ScriptedTls its = tls;
        return its == null ? message : donor.onTheWay.apply(its.sealed(message));
    }

    @Override
    public List<ByteBuf> sent() {
        return sent;
    }

    @Override
    public boolean closed() {
        return closed;
    }

    // The connection.

    private void happens(Completion happening) {
        happenings.add(happening);
        signal(connectionPipe);
    }

    private void completes(Completion completion) {
        completions.add(completion);
        if (armed) {
            armed = false;
            signal(completionPipe);
        }
    }

    private static void signal(FileDescriptor[] pipe) {
        try {
            int _ = pipe[1].write(ByteBuffer.allocateDirect(1), 0, 1);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public int descriptor() {
        return connectionPipe[0].intValue();
    }

    @Override
    public void takeEvents(int millis) {
        for (Completion next = happenings.poll(); next != null && !closed; next = happenings.poll()) {
            take(connectionPipe);
            tell(next);
        }
    }

    private static void take(FileDescriptor[] pipe) {
        try {
            int _ = pipe[0].read(ByteBuffer.allocateDirect(1), 0, 1);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void tell(Completion completion) {
        try {
            completion.tell();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            for (FileDescriptor[] pipe : new FileDescriptor[][] {connectionPipe, completionPipe}) {
                pipe[0].close();
                pipe[1].close();
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void post() throws IOException {
        if (refuses) {
            throw new IOException("nothing can be posted");
        }
    }

    private void hand(Completion completion) {
        if (donor.holdsBack(greeting)) {
            heldBack.add(completion);
        } else {
            completes(completion);
        }
    }

    private void receives(ByteBuf message) {
        Integer slot = freeReceives.poll();
        if (slot == null) {
            throw new AssertionError("a message finds no buffer");
        }
        receiveFrames[slot].setBytes(0, message, 0, message.writerIndex());
        events.received(slot, message.writerIndex());
    }

    private @Nullable Completion nextCompletion() {
        return closed ? null : completions.poll();
    }

    /** Messages and reads. */
    private final class Slots implements Transfers {

        @Override
        public int descriptor() {
            return completionPipe[0].intValue();
        }

        @Override
        public void read(int slot, long to, int localKey, int length, long from, int remoteKey) throws IOException {
            post();
            Read read = new Read(slot, to, localKey, length, from, remoteKey);
            reads.add(read);
            hand(() -> {
                int index = (int) (to - donor.memory.memoryAddress());
                for (int i = 0; i < length; i++) {
                    donor.memory.setByte(index + i, (int) (from >>> 32));
                }
                events.readDone(slot);
            });
        }

        @Override
        public ByteBuf sendFrame(int slot) {
            return sendFrames[slot];
        }

        @Override
        public void send(int slot, int length) throws IOException {
            post();
            ByteBuf message = sendFrames[slot].copy(0, length);
            // The engine may decrypt where the message lies.
            seen.add(message.copy());
            ScriptedTls its = tls;
            boolean late = donor.recordsAlone && its != null && !its.known;
            if (!late) {
                completes(() -> events.sent(slot));
            }
            if (its == null) {
                asked(message);
            } else if (its.known) {
                asked(its.opened(message));
            } else if (!donor.silentInHandshake) {
                shake(its, message);
            }
            if (late) {
                // An answer may come before the word that the question has left.
                completes(() -> events.sent(slot));
            }
        }

        private void shake(ScriptedTls its, ByteBuf received) {
            ByteBuf said = its.shakes(received);
            if (its.refused && donor.endsAfterAlert) {
                // It has arrived, and nobody was woken for it.
                completions.add(() -> receives(said));
                breaks();
                return;
            }
            while (said.isReadable()) {
                int bytes =
                        donor.recordsAlone ? 5 + said.getUnsignedShort(said.readerIndex() + 3) : said.readableBytes();
                ByteBuf message = said.readRetainedSlice(bytes);
                completes(() -> receives(message));
            }
            if (its.known && !donor.neverReady) {
                arrives(ScriptedTls.ready());
            }
        }

        private void asked(ByteBuf request) {
            sent.add(request);
            ByteBuf reply = donor.answer(request);
            hand(() -> receives(protect(reply)));
            greeting = false;
        }

        @Override
        public ByteBuf receiveFrame(int slot) {
            return receiveFrames[slot];
        }

        @Override
        public void receive(int slot) {
            freeReceives.add(slot);
        }

        @Override
        public void arm() {
            armed = true;
            if (!completions.isEmpty()) {
                armed = false;
                signal(completionPipe);
            }
        }

        @Override
        public void reapAfterEvent() {
            take(completionPipe);
            arm();
            int _ = reap();
        }

        @Override
        public boolean awaitCompletions(int millis) {
            return reap() > 0;
        }

        @Override
        public int reap() {
            int count = 0;
            for (Completion next = nextCompletion(); next != null; next = nextCompletion()) {
                tell(next);
                count++;
            }
            return count;
        }
    }
}
