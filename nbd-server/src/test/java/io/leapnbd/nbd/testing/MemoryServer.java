package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.server.BufferReserve;
import io.leapnbd.nbd.server.NbdServer;
import io.leapnbd.nbd.server.NbdServerContext;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/** A server of memory to try real clients on: {@code SOCKET SIZE-IN-MIB [LOOPS]}. Runs until it is killed. */
public final class MemoryServer {

    private MemoryServer() {}

    public static void main(String[] args) throws Exception {
        int loops = args.length > 2 ? Integer.parseInt(args[2]) : 1;
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(loops, EpollIoHandler.newFactory());
        NbdServer server = NbdServer.start(new NbdServerContext()
                .group(group)
                .allocator(BufferReserve.open(group, 32 << 20).allocator())
                .export("memory", new MemoryDevice(Long.parseLong(args[1]) << 20))
                .export("read-only", new MemoryDevice(1 << 20, true)));
        System.out.println("ready "
                + server.listenUnix(Path.of(args[0])).uri() + " "
                + server.listenTcp(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .uri());
        new CountDownLatch(1).await();
    }
}
