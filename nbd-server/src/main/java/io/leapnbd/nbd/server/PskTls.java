package io.leapnbd.nbd.server;

import io.leapnbd.nbd.tls.PskContext;
import io.leapnbd.nbd.tls.PskKeys;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandler;
import java.io.IOException;
import java.util.function.Consumer;

/** Shared keys, by OpenSSL. A handshake has no certificates to look at, and is the loop's own work. */
final class PskTls implements TlsMethod {

    private final PskContext context;

    /** @throws IOException in one sentence, if OpenSSL is not there */
    PskTls(PskKeys keys) throws IOException {
        context = PskContext.open(keys);
    }

    @Override
    public ChannelHandler handler(ByteBufAllocator allocator, Consumer<String> established) {
        return new PskHandler(context.newSession(), allocator, established);
    }

    @Override
    public void close() {
        context.close();
    }
}
