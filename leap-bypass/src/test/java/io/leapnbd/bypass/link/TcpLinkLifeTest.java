package io.leapnbd.bypass.link;

import io.netty.buffer.UnpooledByteBufAllocator;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;

/** Over TCP. */
class TcpLinkLifeTest extends LinkLifeTests {

    private final ScriptedListener listener = new ScriptedListener(script, loop);

    @BeforeEach
    void listen() {
        until(() -> listener.address() != null);
    }

    @Override
    LinkTransport transport() {
        InetSocketAddress address = listener.address();
        if (address == null) {
            throw new IllegalStateException("it does not listen yet");
        }
        DonorResolver resolver = new DonorResolver(new DonorAddress("127.0.0.1", address.getPort()), loop);
        return of ->
                new TcpSession(of, loop, resolver, Duration.ofSeconds(30), 1 << 20, UnpooledByteBufAllocator.DEFAULT);
    }
}
