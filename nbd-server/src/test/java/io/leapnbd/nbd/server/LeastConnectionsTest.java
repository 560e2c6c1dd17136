package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LeastConnectionsTest {

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(3, EpollIoHandler.newFactory());
    private final LeastConnections loops = new LeastConnections(group);

    @AfterEach
    void stop() {
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void loopsWithoutConnectionsTakeTurns() {
        Set<EventLoop> taken = new HashSet<>();
        for (int i = 0; i < 3; i++) {
            taken.add(loops.next());
        }
        assertThat(taken).hasSize(3);
    }

    @Test
    void theLoopWhoseConnectionWasClosedIsNext() {
        for (int round = 0; round < 20; round++) {
            EventLoop first = open();
            EventLoop second = open();
            EventLoop third = open();
            assertThat(Set.of(first, second, third)).hasSize(3);
            loops.closed(second);
            assertThat(open()).isSameAs(second);
            loops.closed(first);
            loops.closed(second);
            loops.closed(third);
            // An odd one between rounds, so that each begins at another loop.
            loops.closed(open());
        }
    }

    private EventLoop open() {
        EventLoop loop = loops.next();
        loops.opened(loop);
        return loop;
    }
}
