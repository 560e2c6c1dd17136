package io.leapnbd.bypass.link;

import io.netty.channel.EventLoop;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Finds out where a donor is, anew for each connection, because a donor that comes back may have another address under its name. A name
 * that is an address needs no look-up; others are looked up on a thread of their own, as an event loop must not wait for a name server. Of
 * several addresses each attempt takes the next one. For the link's loop.
 */
final class DonorResolver {

    /** How long a link gives it: a name server that does not answer makes the resolver ask the next one after 5 s, as a rule. */
    static final Duration LIMIT = Duration.ofSeconds(30);

    private final DonorAddress address;
    private final EventLoop loop;
    private final @Nullable InetSocketAddress literal;
    private int attempts;

    DonorResolver(DonorAddress address, EventLoop loop) {
        this.address = address;
        this.loop = loop;
        byte[] bytes = NetUtil.createByteArrayFromIpAddressString(address.host());
        InetSocketAddress known = bytes == null ? null : new InetSocketAddress(address.host(), address.port());
        literal = known != null && address.transport().uses(known) ? known : null;
    }

    /** Tells where to connect to, or why that is not known; on the loop. */
    void next(BiConsumer<@Nullable InetSocketAddress, @Nullable String> then) {
        InetSocketAddress known = literal;
        if (known != null) {
            then.accept(known, null);
            return;
        }
        int attempt = attempts++;
        Thread.ofVirtual().start(() -> {
            InetSocketAddress found = null;
            String problem = null;
            try {
                List<InetSocketAddress> all = address.resolveAll();
                found = all.get(attempt % all.size());
            } catch (IOException e) {
                problem = String.valueOf(e.getMessage());
            }
            InetSocketAddress to = found;
            String why = problem;
            if (!loop.isShuttingDown()) {
                loop.execute(() -> then.accept(to, why));
            }
        });
    }
}
