package io.leapnbd.donor.loop;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.linux.Processors;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Real sockets, accepted on real loops. */
class SocketPlacementTest {

    private static final int[] PROCESSORS = Processors.allowed();

    private final BlockingQueue<EventLoop> accepted = new LinkedBlockingQueue<>();
    private final BlockingQueue<Channel> channels = new LinkedBlockingQueue<>();
    private final List<Socket> clients = new ArrayList<>();
    private final List<AutoCloseable> started = new ArrayList<>();

    @AfterEach
    void stop() throws Exception {
        for (Socket client : clients) {
            client.close();
        }
        for (AutoCloseable each : started.reversed()) {
            each.close();
        }
    }

    @Test
    void aSocketIsServedOnTheProcessorWhereItsPacketsArrive() throws Exception {
        EventLoops loops = loops(PROCESSORS.length, true);
        List<EventLoop> members = members(loops);
        InetSocketAddress address = listen(loops);
        for (int round = 0; round < 4; round++) {
            for (int i = PROCESSORS.length - 1; i >= 0; i--) {
                assertThat(connect(address, PROCESSORS[i])).isSameAs(members.get(i));
            }
        }
    }

    @Test
    void ofTwoLoopsOnThatProcessorItIsTheOneWithFewer() throws Exception {
        EventLoops loops = loops(2 * PROCESSORS.length, true);
        List<EventLoop> members = members(loops);
        InetSocketAddress address = listen(loops);
        for (int i = 0; i < PROCESSORS.length; i++) {
            EventLoop first = connect(address, PROCESSORS[i]);
            EventLoop second = connect(address, PROCESSORS[i]);
            assertThat(List.of(first, second))
                    .containsExactlyInAnyOrder(members.get(i), members.get(i + PROCESSORS.length));
        }
    }

    @Test
    void noLoopHasManyMoreThanAnotherThoughAllPacketsArriveAtOneProcessor() throws Exception {
        EventLoops loops = loops(2, true);
        List<EventLoop> members = members(loops);
        InetSocketAddress address = listen(loops);
        int[] sockets = new int[2];
        for (int i = 0; i < 20; i++) {
            sockets[members.indexOf(connect(address, PROCESSORS[0]))]++;
            assertThat(Math.abs(sockets[0] - sockets[1])).isLessThanOrEqualTo(2);
        }
    }

    @Test
    void loopsThatAreNotPinnedGetTheSameNumberAndAClosedSocketMakesRoom() throws Exception {
        EventLoops loops = loops(3, false);
        List<EventLoop> members = members(loops);
        InetSocketAddress address = listen(loops);
        List<EventLoop> first = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            first.add(connect(address, PROCESSORS[0]));
        }
        assertThat(first)
                .containsExactlyInAnyOrder(
                        members.get(0), members.get(0), members.get(1), members.get(1), members.get(2), members.get(2));
        for (Channel channel : channels) {
            if (channel.eventLoop().equals(members.get(1))) {
                channel.close().sync();
            }
        }
        assertThat(connect(address, PROCESSORS[0])).isSameAs(members.get(1));
        assertThat(connect(address, PROCESSORS[0])).isSameAs(members.get(1));
    }

    @Test
    void aLoopBesideOthersIsOnTheProcessorAfterTheirs() throws Exception {
        LoopSettings others = new LoopSettings(1, false, true, 0);
        EventLoops beside = EventLoops.open(others.oneMore(), "test");
        started.add(beside);
        assertThat(members(beside).getFirst().submit(Processors::allowed).get(30, TimeUnit.SECONDS))
                .containsExactly(PROCESSORS[1 % PROCESSORS.length]);
    }

    @Test
    void eachPinnedLoopStaysOnItsProcessorAndTheFirstIsGivenAgain() throws Exception {
        List<EventLoop> pinned = members(loops(PROCESSORS.length + 1, true));
        for (int i = 0; i < pinned.size(); i++) {
            assertThat(pinned.get(i).submit(Processors::allowed).get(30, TimeUnit.SECONDS))
                    .containsExactly(PROCESSORS[i % PROCESSORS.length]);
        }
        for (EventLoop loop : members(loops(2, false))) {
            assertThat(loop.submit(Processors::allowed).get(30, TimeUnit.SECONDS))
                    .isEqualTo(PROCESSORS);
        }
    }

    private EventLoops loops(int count, boolean pinned) throws IOException {
        EventLoops loops = EventLoops.open(new LoopSettings(count, false, pinned, 0), "test");
        started.add(loops);
        return loops;
    }

    private static List<EventLoop> members(EventLoops loops) {
        List<EventLoop> members = new ArrayList<>();
        for (EventExecutor loop : loops.group()) {
            members.add((EventLoop) loop);
        }
        return members;
    }

    private InetSocketAddress listen(EventLoops loops) throws InterruptedException {
        Channel listener = new ServerBootstrap()
                .group(loops.group())
                .channel(EpollServerSocketChannel.class)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channels.add(channel);
                        accepted.add(channel.eventLoop());
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
        return (InetSocketAddress) listener.localAddress();
    }

    /** Connects from one processor, which is where a packet of the loopback device arrives; returns the loop that took it. */
    private EventLoop connect(InetSocketAddress address, int processor) throws Exception {
        FutureTask<Socket> connected = new FutureTask<>(() -> {
            assertThat(Processors.pin(processor)).isTrue();
            return new Socket(address.getAddress(), address.getPort());
        });
        Thread.ofPlatform().start(connected);
        clients.add(connected.get(30, TimeUnit.SECONDS));
        EventLoop loop = accepted.poll(30, TimeUnit.SECONDS);
        if (loop == null) {
            throw new IOException("nobody accepted the connection");
        }
        return loop;
    }
}
