package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.Conversation;
import io.leapnbd.bypass.link.Greeted;
import io.leapnbd.bypass.link.RefusedException;
import io.leapnbd.bypass.link.SlabSink;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.SlabCopies;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A conversation whose failures name the donor, so that a start that ends by one says which donor has ended. For one thread at a time. */
final class NamedConversation implements Conversation {

    private final String donor;
    private final Conversation conversation;

    /**
     * Goes on with a conversation.
     *
     * @param donor its address, as the operator named it
     */
    NamedConversation(String donor, Conversation conversation) {
        this.donor = donor;
        this.conversation = conversation;
    }

    @Override
    public Greeted hello(Hello hello) throws IOException {
        return named(() -> conversation.hello(hello));
    }

    @Override
    public void list(SlabSink sink) throws IOException {
        boolean _ = named(() -> {
            conversation.list(sink);
            return true;
        });
    }

    @Override
    public PageMarks pages(int handle, int offset, int length) throws IOException {
        return named(() -> conversation.pages(handle, offset, length));
    }

    @Override
    public byte place(int handle, long generation, SlabCopies copies) throws IOException {
        return named(() -> conversation.place(handle, generation, copies));
    }

    @Override
    public byte free(int handle, long generation) throws IOException {
        return named(() -> conversation.free(handle, generation));
    }

    @Override
    public void note(ByteBuffer note, long version) throws IOException {
        boolean _ = named(() -> {
            conversation.note(note, version);
            return true;
        });
    }

    @Override
    public void close() {
        conversation.close();
    }

    private <T> T named(Step<T> step) throws IOException {
        try {
            return step.run();
        } catch (RefusedException e) {
            throw new RefusedException("donor " + donor + " " + e.getMessage(), e);
        } catch (IOException e) {
            throw new IOException(
                    "donor " + donor + " went away while the server started (" + e.getMessage()
                            + "); see that it runs, and start the server again",
                    e);
        }
    }

    /** What is asked of the donor. */
    @FunctionalInterface
    private interface Step<T> {
        T run() throws IOException;
    }
}
