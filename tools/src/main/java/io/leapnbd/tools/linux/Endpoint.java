package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Where a stream socket connects to, in the form the kernel wants. Names are resolved before, and once. */
public sealed interface Endpoint {
    int AF_UNIX = 1;
    int AF_INET = 2;
    int AF_INET6 = 10;

    /** The address family. */
    int family();

    /** The {@code struct sockaddr}, of exactly the length to pass. */
    MemorySegment encode(Arena arena);

    /** A Unix socket: {@code struct sockaddr_un { u16 family; char path[108]; }}. */
    record Unix(Path path) implements Endpoint {
        private static final long PATH = 2;
        private static final int LONGEST = 107;

        public Unix {
            if (path.toString().getBytes(StandardCharsets.UTF_8).length > LONGEST) {
                throw new IllegalArgumentException(
                        "a socket path has at most " + LONGEST + " bytes; use a shorter one than " + path);
            }
        }

        @Override
        public int family() {
            return AF_UNIX;
        }

        @Override
        public MemorySegment encode(Arena arena) {
            byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
            MemorySegment address = arena.allocate(PATH + bytes.length + 1, 8);
            address.set(JAVA_SHORT, 0, (short) AF_UNIX);
            MemorySegment.copy(bytes, 0, address, JAVA_BYTE, PATH, bytes.length);
            return address;
        }

        @Override
        public String toString() {
            return path.toString();
        }
    }

    /**
     * A TCP socket: {@code struct sockaddr_in { u16 family; be16 port; u8 address[4]; u8 zero[8]; }} or {@code struct
     * sockaddr_in6 { u16 family; be16 port; u32 flowinfo; u8 address[16]; u32 scope; }}.
     */
    record Inet(InetAddress address, int port) implements Endpoint {
        private static final ValueLayout.OfShort BE16 = JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
        private static final long PORT = 2;
        private static final long ADDRESS4 = 4;
        private static final long SIZE4 = 16;
        private static final long ADDRESS6 = 8;
        private static final long SCOPE6 = 24;
        private static final long SIZE6 = 28;

        @Override
        public int family() {
            return address instanceof Inet6Address ? AF_INET6 : AF_INET;
        }

        @Override
        public MemorySegment encode(Arena arena) {
            byte[] bytes = address.getAddress();
            MemorySegment out = arena.allocate(address instanceof Inet6Address ? SIZE6 : SIZE4, 8);
            out.set(JAVA_SHORT, 0, (short) family());
            out.set(BE16, PORT, (short) port);
            if (address instanceof Inet6Address six) {
                MemorySegment.copy(bytes, 0, out, JAVA_BYTE, ADDRESS6, bytes.length);
                out.set(JAVA_INT, SCOPE6, six.getScopeId());
            } else {
                MemorySegment.copy(bytes, 0, out, JAVA_BYTE, ADDRESS4, bytes.length);
            }
            return out;
        }

        @Override
        public String toString() {
            String host = address.getHostAddress();
            return (address instanceof Inet6Address ? "[" + host + "]" : host) + ":" + port;
        }
    }
}
