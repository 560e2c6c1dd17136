package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.link.Conversation;
import io.leapnbd.bypass.link.Greeted;
import io.leapnbd.bypass.link.RefusedException;
import io.leapnbd.bypass.link.SlabSink;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.SlabCopies;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** A donor that dies in the middle of a start. */
class NamedConversationTest {

    @Test
    void aConnectionThatEndsIsToldWithTheDonorsName() {
        NamedConversation with =
                new NamedConversation("tcp://a:9400", new Failing(new IOException("Connection reset")));
        String sentence = "donor tcp://a:9400 went away while the server started (Connection reset);"
                + " see that it runs, and start the server again";
        assertThatThrownBy(() -> with.hello(Hello.observe("leap", 0))).hasMessage(sentence);
        assertThatThrownBy(() -> with.list((index, handle, granted, generation, touched, copies) -> {}))
                .hasMessage(sentence);
        assertThatThrownBy(() -> with.pages(1, 0, PageMarks.GRANULE)).hasMessage(sentence);
        assertThatThrownBy(() -> with.place(1, 1, SlabCopies.ALONE)).hasMessage(sentence);
        assertThatThrownBy(() -> with.free(1, 1)).hasMessage(sentence);
        assertThatThrownBy(() -> with.note(ByteBuffer.allocate(0), 1)).hasMessage(sentence);
    }

    @Test
    void aRefusalStaysOne() {
        NamedConversation with =
                new NamedConversation("tcp://a:9400", new Failing(new RefusedException("refuses this server")));
        assertThatThrownBy(() -> with.free(1, 1))
                .isInstanceOf(RefusedException.class)
                .hasMessage("donor tcp://a:9400 refuses this server");
    }

    private record Failing(IOException problem) implements Conversation {

        @Override
        public Greeted hello(Hello hello) throws IOException {
            throw problem;
        }

        @Override
        public void list(SlabSink sink) throws IOException {
            throw problem;
        }

        @Override
        public PageMarks pages(int handle, int offset, int length) throws IOException {
            throw problem;
        }

        @Override
        public byte place(int handle, long generation, SlabCopies copies) throws IOException {
            throw problem;
        }

        @Override
        public byte free(int handle, long generation) throws IOException {
            throw problem;
        }

        @Override
        public void note(ByteBuffer note, long version) throws IOException {
            throw problem;
        }

        @Override
        public void close() {}
    }
}
