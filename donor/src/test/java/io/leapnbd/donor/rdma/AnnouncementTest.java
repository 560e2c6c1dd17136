package io.leapnbd.donor.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class AnnouncementTest {

    private static byte[] of(String export) {
        byte[] bytes = new byte[Announcement.LENGTH];
        Announcement.encode(export, ByteBuffer.wrap(bytes));
        return bytes;
    }

    @Test
    void anExportIsKnownByWhatIsSentAlong() {
        assertThat(Announcement.decode(of("swap0"))).isEqualTo(Announcement.digest("swap0"));
        assertThat(Announcement.digest("swap0")).isNotEqualTo(Announcement.digest("swap1"));
    }

    @Test
    void whatIsNoAnnouncementIsThatOfNoExport() {
        byte[] otherMagic = of("swap0");
        otherMagic[3]++;
        assertThat(Announcement.decode(otherMagic)).isEqualTo(new UUID(0, 0));
        assertThat(Announcement.decode(new byte[Announcement.LENGTH - 1])).isEqualTo(new UUID(0, 0));
        assertThat(Announcement.decode(new byte[0])).isEqualTo(new UUID(0, 0));
    }

    @Test
    void whatFollowsIsPaddingOfTheConnectionManager() {
        byte[] longer = new byte[56];
        System.arraycopy(of("swap0"), 0, longer, 0, Announcement.LENGTH);
        assertThat(Announcement.decode(longer)).isEqualTo(Announcement.digest("swap0"));
    }
}
