package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * A generic netlink socket: requests with their acknowledgement, and multicast events. Buffers are made once; a request
 * allocates a few small objects and no more. Belongs to one thread.
 */
public final class GenericNetlink implements AutoCloseable {
    private static final int AF_NETLINK = 16;
    private static final int SOCK_RAW = 3;
    private static final int SOCK_NONBLOCK = 0x800;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int NETLINK_GENERIC = 16;
    private static final int SOL_NETLINK = 270;
    private static final int NETLINK_ADD_MEMBERSHIP = 1;
    // struct sockaddr_nl { u16 family; u16 pad; u32 port; u32 groups; }
    private static final long ADDRESS = 12;

    private static final int NLMSG_ERROR = 2;
    private static final int GENL_ID_CTRL = 0x10;
    private static final int CTRL_CMD_GETFAMILY = 3;
    private static final int CTRL_ATTR_FAMILY_ID = 1;
    private static final int CTRL_ATTR_FAMILY_NAME = 2;
    private static final int CTRL_ATTR_MCAST_GROUPS = 7;
    private static final int CTRL_ATTR_MCAST_GRP_NAME = 1;
    private static final int CTRL_ATTR_MCAST_GRP_ID = 2;

    private static final int BUFFER = 16 * 1024;

    /** A family as the kernel numbered it. */
    public record Family(int id, OptionalInt group) {}

    /** A message that is not an acknowledgement. The attributes are valid until the next call on this socket. */
    public record Message(int type, int command, NetlinkReader attributes) {}

    private final Arena arena = Arena.ofShared();
    private final SystemCalls calls = new SystemCalls(arena);
    private final Poll poll = new Poll(1);
    private final MemorySegment sendSegment = arena.allocate(BUFFER, 8);
    private final MemorySegment receiveSegment = arena.allocate(BUFFER, 8);
    private final ByteBuffer send = sendSegment.asByteBuffer().order(ByteOrder.nativeOrder());
    private final ByteBuffer receive = receiveSegment.asByteBuffer().order(ByteOrder.nativeOrder());
    private final NetlinkWriter writer = new NetlinkWriter(send);
    private final int fd;
    private int sequence;

    public GenericNetlink() throws LinuxException {
        long socket = calls.call(Call.SOCKET, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_GENERIC);
        if (socket < 0) {
            release();
            throw new LinuxException("netlink socket", (int) -socket);
        }
        fd = (int) socket;
        MemorySegment address = arena.allocate(ADDRESS, 4);
        address.set(JAVA_SHORT, 0, (short) AF_NETLINK);
        calls.require(Call.BIND, fd, address.address(), ADDRESS);
    }

    public int fd() {
        return fd;
    }

    /** Looks a family up by name, and one multicast group of it; nothing when the kernel has no such family. */
    public Optional<Family> family(String name, String group, long deadline) throws IOException {
        begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1).string(CTRL_ATTR_FAMILY_NAME, name);
        Message reply;
        try {
            reply = request(deadline);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                return Optional.empty();
            }
            throw e;
        }
        return reply == null ? Optional.empty() : Optional.of(family(reply.attributes(), group));
    }

    private static Family family(NetlinkReader attributes, String group) {
        int id = 0;
        OptionalInt groupId = OptionalInt.empty();
        while (attributes.next()) {
            if (attributes.type() == CTRL_ATTR_FAMILY_ID) {
                id = attributes.u16();
            } else if (attributes.type() == CTRL_ATTR_MCAST_GROUPS) {
                for (NetlinkReader groups = attributes.nested(); groups.next(); ) {
                    int candidate = 0;
                    boolean match = false;
                    for (NetlinkReader one = groups.nested(); one.next(); ) {
                        if (one.type() == CTRL_ATTR_MCAST_GRP_ID) {
                            candidate = one.u32();
                        } else if (one.type() == CTRL_ATTR_MCAST_GRP_NAME) {
                            match = one.string().equals(group);
                        }
                    }
                    groupId = match ? OptionalInt.of(candidate) : groupId;
                }
            }
        }
        return new Family(id, groupId);
    }

    /** Receives this multicast group's events from now on. */
    public void join(int group) throws LinuxException {
        MemorySegment value = sendSegment.asSlice(0, 4);
        value.set(JAVA_INT, 0, group);
        calls.require(Call.SETSOCKOPT, fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, value.address(), 4);
    }

    /** Starts a request; the attributes are written to what is returned, then {@link #request} sends it. */
    public NetlinkWriter begin(int family, int command, int version) {
        return writer.begin(family, ++sequence, command, version);
    }

    /**
     * Sends what {@link #begin} started and waits for its acknowledgement.
     *
     * @return the message that came before the acknowledgement, or null when there was none
     * @throws LinuxException with the kernel's error number when it refused
     */
    public @Nullable Message request(long deadline) throws IOException {
        ByteBuffer message = writer.finish();
        calls.require(Call.SENDTO, fd, sendSegment.address(), message.remaining(), 0, 0, 0);
        Message answer = null;
        while (true) {
            int length = receive(deadline);
            for (int at = 0; at + NetlinkWriter.HEADER <= length; ) {
                int size = receive.getInt(at);
                if (size < NetlinkWriter.HEADER || size > length - at) {
                    break;
                }
                if (receive.getInt(at + 8) == sequence) {
                    int type = Short.toUnsignedInt(receive.getShort(at + 4));
                    if (type == NLMSG_ERROR) {
                        int error = -receive.getInt(at + NetlinkWriter.HEADER);
                        if (error != 0) {
                            throw new LinuxException("netlink request", error);
                        }
                        return answer;
                    }
                    answer = copy(at, size, type);
                }
                at += size + 3 & ~3;
            }
        }
    }

    /** The next event, if one has come; null otherwise. Does not wait. */
    public @Nullable Message event() throws IOException {
        while (true) {
            long n = calls.call(Call.RECVFROM, fd, receiveSegment.address(), BUFFER, 0, 0, 0);
            if (n == -Errno.EAGAIN) {
                return null;
            }
            // ENOBUFS: events were lost. Whoever waits for events also looks at the state itself.
            if (n >= NetlinkWriter.GENERIC_HEADER) {
                int type = Short.toUnsignedInt(receive.getShort(4));
                if (type > NLMSG_ERROR) {
                    return copy(0, (int) Math.min(n, receive.getInt(0)), type);
                }
            } else if (n < 0 && n != -Errno.EINTR && n != -Errno.ENOBUFS) {
                throw new LinuxException("netlink receive", (int) -n);
            }
        }
    }

    private Message copy(int at, int size, int type) {
        int body = Math.min(NetlinkWriter.GENERIC_HEADER, size);
        ByteBuffer attributes = ByteBuffer.allocate(size - body).put(receive.slice(at + body, size - body));
        return new Message(type, receive.get(at + NetlinkWriter.HEADER), new NetlinkReader(attributes.flip()));
    }

    private int receive(long deadline) throws IOException {
        while (true) {
            long n = calls.call(Call.RECVFROM, fd, receiveSegment.address(), BUFFER, 0, 0, 0);
            if (n >= 0) {
                return (int) n;
            }
            if (n == -Errno.EAGAIN) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    throw new SocketTimeoutException("the kernel did not answer a netlink request in time");
                }
                poll.clear();
                poll.add(fd, Poll.IN);
                poll.await(left);
            } else if (n != -Errno.EINTR) {
                throw new LinuxException("netlink receive", (int) -n);
            }
        }
    }

    @Override
    public void close() {
        calls.call(Call.CLOSE, fd);
        release();
    }

    private void release() {
        poll.close();
        arena.close();
    }
}
