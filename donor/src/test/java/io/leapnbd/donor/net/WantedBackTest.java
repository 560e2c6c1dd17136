package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What replies tell of slabs that a donor wants back, over real links. */
class WantedBackTest {

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

    @Test
    void everyReplyTellsHowManySlabsAreWantedBackAndNoneIsGrantedMeanwhile() throws IOException {
        int handle = link.grant(0);
        assertThat(link.grant(1)).isNotEqualTo(handle);
        assertThat(ping().wantedBack()).isZero();
        donor.store.lendAtMost(1);
        assertThat(ping()).isEqualTo(new Told(1, 0));
        assertThat(link.ask(Operation.GRANT, 2, 0, 0, link.grantVersion()).status())
                .isEqualTo(Status.NO_SPACE);
        // What it holds is served as ever: nothing is taken back.
        assertThat(link.read(handle, 0, 8)).containsOnly(0);
        assertThat(link.ask(Operation.FREE, handle, 0, 0, link.grantVersion()).status())
                .isEqualTo(Status.OK);
        assertThat(ping()).isEqualTo(new Told(0, 0));
        donor.store.lendAtMost(4);
        assertThat(ping()).isEqualTo(new Told(0, 3));
    }

    @Test
    void moreThanFitTheHeaderAreToldAsSoMany() {
        ByteBuf header = Unpooled.buffer(ReplyHeader.LENGTH);
        ReplyHeader.encode(header, 0, Operation.PING, Status.OK, 7, 0, 5);
        assertThat(ReplyHeader.wantedBack(header, 0)).isZero();
        ReplyHeader.setWantedBack(header, 0, 1 << 20);
        assertThat(ReplyHeader.wantedBack(header, 0)).isEqualTo(ReplyHeader.MAX_WANTED_BACK);
        assertThat(ReplyHeader.operation(header, 0)).isEqualTo(Operation.PING);
        assertThat(ReplyHeader.cookie(header, 0)).isEqualTo(7);
    }

    private record Told(int wantedBack, int freeSlabs) {}

    private Told ping() throws IOException {
        RawLink.Reply reply = link.ask(Operation.PING, 0, 0, 0, 0);
        return new Told(reply.wantedBack(), reply.freeSlabs());
    }
}
