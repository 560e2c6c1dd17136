package io.leapnbd.nbd.server;

import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.PeerCredentials;
import java.io.IOException;
import java.net.InetSocketAddress;

/**
 * Who is at the other end of a connection.
 *
 * @param name for people: address and port, or process and user
 * @param host what all connections of one origin have in common: the address, or the user
 */
record Peer(String name, String host) {

    static Peer of(Channel channel) {
        if (channel instanceof EpollDomainSocketChannel unix) {
            try {
                PeerCredentials credentials = unix.peerCredentials();
                String user = "user " + credentials.uid();
                return new Peer("process " + credentials.pid() + " of " + user, user);
            } catch (IOException e) {
                return new Peer("a process that is gone", "");
            }
        }
        if (channel.remoteAddress() instanceof InetSocketAddress inet) {
            String host = inet.getAddress().getHostAddress();
            return new Peer(host + ":" + inet.getPort(), host);
        }
        return new Peer("a peer without an address", "");
    }
}
