package io.leapnbd.donor.net;

import static io.leapnbd.donor.Pages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Placements of slabs, and grants that are to be filled, over real links. */
class PlaceTest {

    private static final SlabName OTHER = new SlabName(new UUID(5, 6), 1, 1);

    private TestDonor donor;
    private RawLink link;

    @BeforeEach
    void start() throws Exception {
        donor = new TestDonor(4);
        link = RawLink.claim(donor.address(), "a", 1);
    }

    @AfterEach
    void stop() throws IOException {
        link.close();
        donor.close();
    }

    private static byte[] bytes(SlabCopies copies) {
        ByteBuf body = Unpooled.buffer();
        copies.encode(body);
        byte[] bytes = new byte[body.readableBytes()];
        body.readBytes(bytes);
        return bytes;
    }

    /** A slab that the link was granted. */
    private SlabName name(int handle) {
        return new SlabName(donor.store.incarnation(), handle, link.grantVersion());
    }

    private int grantToBeFilled(int index) throws IOException {
        byte[] frame = RawLink.frame(Operation.GRANT, 5, index, 0, 0, link.grantVersion());
        RequestHeader.setFlags(Unpooled.wrappedBuffer(frame), 0, RequestHeader.FILLING);
        link.send(frame);
        return link.receive().handle();
    }

    private byte place(int handle, long later, SlabCopies copies) throws IOException {
        RawLink.Reply reply = link.ask(Operation.PLACE, handle, 0, 0, link.grantVersion() + later, bytes(copies));
        assertThat(reply.payload()).isEmpty();
        return reply.status();
    }

    private SlabList list() throws IOException, ProtocolException {
        return SlabList.decode(link.ask(Operation.LIST, 0, 0, 0, 0).body());
    }

    @Test
    void whatIsPlacedIsListed() throws Exception {
        int filled = grantToBeFilled(2);
        int alone = link.grant(3);
        SlabList before = list();
        assertThat(before.handle(0)).isEqualTo(filled);
        assertThat(before.copies(0)).isEqualTo(SlabCopies.FILLING);
        assertThat(before.handle(1)).isEqualTo(alone);
        assertThat(before.copies(1)).isEqualTo(SlabCopies.ALONE);

        SlabCopies both = SlabCopies.live(List.of(OTHER, name(filled)));
        assertThat(place(filled, 1, both)).isEqualTo(Status.OK);
        assertThat(place(alone, 2, SlabCopies.filling(List.of(OTHER)))).isEqualTo(Status.OK);
        SlabList after = list();
        assertThat(after.grantVersion(0)).isEqualTo(link.grantVersion());
        assertThat(after.generation(0)).isEqualTo(link.grantVersion() + 1);
        assertThat(after.copies(0)).isEqualTo(both);
        assertThat(after.generation(1)).isEqualTo(link.grantVersion() + 2);
        assertThat(after.copies(1)).isEqualTo(SlabCopies.filling(List.of(OTHER)));
    }

    @Test
    void whatIsRefusedLeavesTheLinkOpen() throws Exception {
        int handle = link.grant(0);
        link.write(handle, 0, 1, Pages.array(1, PAGE));
        SlabCopies both = SlabCopies.live(List.of(OTHER, name(handle)));
        assertThat(place(handle, 5, both)).isEqualTo(Status.OK);
        assertThat(place(handle, 5, both)).isEqualTo(Status.OK);
        assertThat(place(handle, 4, both)).isEqualTo(Status.STALE);
        assertThat(place(handle + 4, 6, SlabCopies.live(List.of(OTHER, name(handle + 4)))))
                .isEqualTo(Status.NOT_OWNER);
        assertThat(link.ask(Operation.GRANT, 0, 0, 0, link.grantVersion() + 4).status())
                .isEqualTo(Status.STALE);
        assertThat(link.grant(0)).isEqualTo(handle);
        assertThat(link.ask(Operation.FREE, handle, 0, 0, link.grantVersion()).status())
                .isEqualTo(Status.STALE);
        assertThat(link.read(handle, 0, PAGE)).isEqualTo(Pages.array(1, PAGE));
        assertThat(link.ask(Operation.FREE, handle, 0, 0, link.grantVersion() + 5)
                        .status())
                .isEqualTo(Status.OK);
    }

    @Test
    void anotherPlacementOfTheSameGenerationEndsTheLink() throws Exception {
        int handle = link.grant(0);
        assertThat(place(handle, 5, SlabCopies.live(List.of(OTHER, name(handle)))))
                .isEqualTo(Status.OK);
        assertThat(place(handle, 5, SlabCopies.live(List.of(name(handle))))).isEqualTo(Status.BAD_REQUEST);
        assertThat(link.endsWithoutAWord()).isTrue();
    }

    @Test
    void aServerThatIsFencedOffPlacesNothing() throws Exception {
        int handle = link.grant(0);
        try (RawLink young = RawLink.claim(donor.address(), "a", 2)) {
            try {
                link.send(RawLink.frame(
                        Operation.PLACE,
                        1,
                        handle,
                        0,
                        0,
                        link.grantVersion() + 1,
                        bytes(SlabCopies.live(List.of(name(handle), OTHER)))));
                // However the link ends.
                link.socket.getInputStream().readAllBytes();
            } catch (IOException e) {
                assertThat(e).hasMessageNotContaining("timed out");
            }
            SlabList seen =
                    SlabList.decode(young.ask(Operation.LIST, 0, 0, 0, 0).body());
            assertThat(seen.copies(0)).isEqualTo(SlabCopies.ALONE);
            assertThat(seen.generation(0)).isEqualTo(link.grantVersion());
        }
    }

    @Test
    void aServerOfTheVersionBeforeIsToldSo() throws Exception {
        byte[] hello = RawLink.frame(Hellos.observe("a"));
        hello[RequestHeader.LENGTH + 9] = 2;
        hello[RequestHeader.LENGTH + 11] = 2;
        try (RawLink old = new RawLink(donor.address())) {
            old.send(hello);
            assertThat(old.receive().status()).isEqualTo(Status.UNSUPPORTED_VERSION);
            assertThat(old.endsWithoutAWord()).isTrue();
        }
    }
}
