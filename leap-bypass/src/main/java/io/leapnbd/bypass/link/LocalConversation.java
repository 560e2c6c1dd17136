package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Listing;
import io.leapnbd.donor.store.MarkedPages;
import io.leapnbd.donor.store.SlabControl;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A conversation with a store in this process: method calls. */
final class LocalConversation implements Conversation {

    private final SlabControl store;
    private final String name;
    private @Nullable Claim claim;

    /**
     * Says nothing yet.
     *
     * @param name what people call the store, in the middle of a sentence
     */
    LocalConversation(SlabControl store, String name) {
        this.store = store;
        this.name = name;
    }

    @Override
    public Greeted hello(Hello hello) throws IOException {
        close();
        Admission admission = done(() -> store.hello(hello, () -> {}));
        claim = admission.claim();
        return new Greeted(admission.status(), admission.reply());
    }

    @Override
    public void list(SlabSink sink) throws IOException {
        Claim with = claimed();
        int from = 0;
        while (true) {
            int next = from;
            Listing listing = done(() -> store.list(with, next));
            check(listing.status());
            SlabList slabs = listing.slabs();
            for (int i = 0; i < slabs.size(); i++) {
                sink.on(
                        slabs.index(i),
                        slabs.handle(i),
                        slabs.grantVersion(i),
                        slabs.generation(i),
                        slabs.touched(i),
                        slabs.copies(i));
            }
            if (!slabs.more()) {
                return;
            }
            from = slabs.index(slabs.size() - 1) + 1;
        }
    }

    @Override
    public PageMarks pages(int handle, int offset, int length) throws IOException {
        Claim with = claimed();
        MarkedPages pages = done(() -> store.pages(with, handle, offset, length));
        check(pages.status());
        return pages.marks();
    }

    @Override
    public byte place(int handle, long generation, SlabCopies copies) throws IOException {
        Claim with = claimed();
        return done(() -> store.place(with, handle, generation, copies));
    }

    @Override
    public byte free(int handle, long generation) throws IOException {
        Claim with = claimed();
        return done(() -> store.free(with, handle, generation));
    }

    @Override
    public void note(ByteBuffer note, long version) throws IOException {
        Claim with = claimed();
        check(done(() -> store.note(with, version, note)));
    }

    @Override
    public void close() {
        Claim open = claim;
        claim = null;
        if (open != null) {
            open.close();
        }
    }

    private Claim claimed() throws IOException {
        Claim open = claim;
        if (open == null) {
            throw new IOException(name + " has not accepted a hello");
        }
        return open;
    }

    private void check(byte status) throws IOException {
        if (status != Status.OK) {
            throw new IOException(name + " refused: " + Status.name(status));
        }
    }

    private static <T> T done(Supplier<T> call) throws IOException {
        try {
            return call.get();
        } catch (UncheckedIOException e) {
            IOException cause = e.getCause();
            throw cause == null ? new IOException(e) : cause;
        }
    }
}
