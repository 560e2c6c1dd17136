package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.RequestHeader;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Takes connections to a {@link ScriptedDonor} over TCP, on the loop of the test. */
final class ScriptedListener {

    /** More than a link sends to it in a test. */
    private static final int RECEIVED = 8 << 20;

    private final Channel listener;

    ScriptedListener(ScriptedDonor donor, EventLoopGroup loop) {
        listener = new ServerBootstrap()
                .group(loop)
                .channel(EpollServerSocketChannel.class)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        ScriptedSocket socket = new ScriptedSocket(donor, channel);
                        donor.connections.add(socket);
                        channel.pipeline().addLast(socket);
                    }
                })
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .channel();
    }

    /** Where it listens; null if it does not yet. */
    @Nullable
    InetSocketAddress address() {
        return (InetSocketAddress) listener.localAddress();
    }

    /** One of them. */
    private static final class ScriptedSocket extends ChannelInboundHandlerAdapter implements ScriptedConnection {

        private final ScriptedDonor donor;
        private final Channel channel;
        private final ByteBuf received =
                Unpooled.wrappedBuffer(new byte[RECEIVED]).clear();
        private final List<ByteBuf> arrived = new ArrayList<>();
        private final Deque<ByteBuf> heldBack = new ArrayDeque<>();

        ScriptedSocket(ScriptedDonor donor, Channel channel) {
            this.donor = donor;
            this.channel = channel;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            ByteBuf in = (ByteBuf) message;
            received.writeBytes(in);
            in.release();
            while (received.readableBytes() >= RequestHeader.LENGTH) {
                int length = RequestHeader.LENGTH + RequestHeader.payload(received, received.readerIndex());
                if (received.readableBytes() < length) {
                    return;
                }
                byte[] request = new byte[length];
                received.readBytes(request);
                take(Unpooled.wrappedBuffer(request));
            }
        }

        private void take(ByteBuf request) {
            arrived.add(request);
            ByteBuf reply = donor.answer(request);
            if (donor.holdsBack(RequestHeader.operation(request, 0) == Operation.HELLO)) {
                heldBack.add(reply);
            } else {
                arrives(reply);
            }
        }

        @Override
        public List<ByteBuf> sent() {
            return arrived;
        }

        @Override
        public boolean closed() {
            return !channel.isOpen();
        }

        @Override
        public void breaks() {
            channel.close();
        }

        @Override
        public void isReset() {
            channel.config().setOption(ChannelOption.SO_LINGER, 0);
            channel.close();
        }

        @Override
        public void answerAll() {
            for (ByteBuf reply = heldBack.poll(); reply != null; reply = heldBack.poll()) {
                arrives(reply);
            }
        }

        @Override
        public void arrives(ByteBuf reply) {
            channel.writeAndFlush(reply);
        }
    }
}
