package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.loop.LoopSettings;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ServerSettingsTest {

    private static final ServerSettings GOOD = ServerSettings.listenOn(new InetSocketAddress(9400));

    @Test
    void whatIsNotPossibleIsRefusedWithTheReason() {
        assertRefused(() -> GOOD.withMaxLinks(0), "lets nobody in");
        assertRefused(() -> LoopSettings.of(0), "event loops");
        assertRefused(() -> LoopSettings.of(1025), "event loops");
        Duration second = Duration.ofSeconds(1);
        assertRefused(() -> GOOD.withTimeouts(Duration.ZERO, second, second), "hello timeout");
        assertRefused(() -> GOOD.withTimeouts(second, Duration.ofDays(2), second), "idle timeout");
        assertRefused(() -> GOOD.withTimeouts(second, second, second.negated()), "linger timeout");
        assertRefused(
                () -> ServerSettings.listenOn(InetSocketAddress.createUnresolved("donor.invalid", 1)),
                "donor.invalid is not known");
    }

    private static void assertRefused(Runnable setting, String why) {
        assertThatThrownBy(setting::run)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(why);
    }
}
