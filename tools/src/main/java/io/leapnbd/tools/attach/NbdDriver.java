package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.linux.Capability;
import io.leapnbd.tools.linux.FdChannel;
import io.leapnbd.tools.linux.GenericNetlink;
import io.leapnbd.tools.linux.NetlinkReader;
import io.leapnbd.tools.linux.NetlinkWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * The kernel's nbd driver through its generic netlink family (linux/nbd-netlink.h). Needs the capability SYS_ADMIN.
 * Belongs to one thread.
 */
final class NbdDriver implements Keeper.Driver, AutoCloseable {
    private static final String FAMILY = "nbd";
    private static final String GROUP = "nbd_mc_group";
    private static final int VERSION = 1;
    /** The kernel answers at once unless another request holds its lock. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(20);

    static final int CMD_CONNECT = 1;
    static final int CMD_DISCONNECT = 2;
    static final int CMD_RECONFIGURE = 3;
    static final int CMD_LINK_DEAD = 4;
    static final int CMD_STATUS = 5;

    private static final int ATTR_INDEX = 1;
    private static final int ATTR_SIZE_BYTES = 2;
    private static final int ATTR_BLOCK_SIZE_BYTES = 3;
    private static final int ATTR_TIMEOUT = 4;
    private static final int ATTR_SERVER_FLAGS = 5;
    private static final int ATTR_SOCKETS = 7;
    private static final int ATTR_DEAD_CONN_TIMEOUT = 8;
    private static final int ATTR_DEVICE_LIST = 9;
    private static final int ATTR_BACKEND_IDENTIFIER = 10;
    private static final int SOCK_ITEM = 1;
    private static final int SOCK_FD = 1;
    private static final int DEVICE_ITEM = 1;
    private static final int DEVICE_INDEX = 1;
    private static final int DEVICE_CONNECTED = 2;

    /**
     * How a device is set up.
     *
     * @param size of the device in bytes
     * @param blockSize in bytes; a page, so that no request is smaller
     * @param flags the server's transmission flags
     * @param requestTimeout seconds after which an unanswered request gives its connection up for dead; 1 or more
     * @param deadTimeout seconds for which requests wait for a new connection before they fail
     * @param backend what the device is connected to, see {@link DeviceIdentity}; empty to say nothing
     */
    record Setup(long size, int blockSize, int flags, int requestTimeout, int deadTimeout, String backend) {}

    private final GenericNetlink netlink;
    private final int family;
    private String backend = "";

    private NbdDriver(GenericNetlink netlink, int family) {
        this.netlink = netlink;
        this.family = family;
    }

    /**
     * Loads the driver's module if it is not there. Starts a process for that.
     *
     * @param report where a line for people goes
     * @throws CommandFailure if this process may not attach devices
     */
    static void load(Consumer<String> report) {
        if (!Capability.CAP_SYS_ADMIN.held()) {
            throw new CommandFailure(ExitCode.NOT_POSSIBLE_HERE, "attaching needs root (capability CAP_SYS_ADMIN)");
        }
        if (Files.isDirectory(Path.of("/sys/module/nbd"))) {
            return;
        }
        try {
            new ProcessBuilder("/sbin/modprobe", "nbd").inheritIO().start().waitFor();
        } catch (IOException e) {
            report.accept("cannot load the nbd module: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Says that the kernel has none. */
    static CommandFailure missing() {
        return new CommandFailure(
                ExitCode.NOT_POSSIBLE_HERE,
                "this kernel has no nbd driver: modprobe nbd, or install the kernel's extra modules");
    }

    /** Opens the driver; nothing when the kernel has no nbd (its module is not loaded). */
    static Optional<NbdDriver> open() throws IOException {
        GenericNetlink netlink = new GenericNetlink();
        try {
            Optional<GenericNetlink.Family> family = netlink.family(FAMILY, GROUP, System.nanoTime() + PATIENCE);
            if (family.isPresent()) {
                return Optional.of(new NbdDriver(netlink, family.get().id()));
            }
        } catch (IOException | RuntimeException e) {
            netlink.close();
            throw e;
        }
        netlink.close();
        return Optional.empty();
    }

    /** A socket that receives an event whenever a connection of some device has died, see {@link #linkDead}. */
    static GenericNetlink events() throws IOException {
        GenericNetlink netlink = new GenericNetlink();
        try {
            OptionalInt group = netlink.family(FAMILY, GROUP, System.nanoTime() + PATIENCE)
                    .map(GenericNetlink.Family::group)
                    .orElse(OptionalInt.empty());
            if (group.isPresent()) {
                netlink.join(group.getAsInt());
            }
            return netlink;
        } catch (IOException | RuntimeException e) {
            netlink.close();
            throw e;
        }
    }

    /** The index of the device that lost a connection, when the event says that. */
    static OptionalInt linkDead(GenericNetlink.Message event) {
        if (event.command() == CMD_LINK_DEAD) {
            for (NetlinkReader attributes = event.attributes(); attributes.next(); ) {
                if (attributes.type() == ATTR_INDEX) {
                    return OptionalInt.of(attributes.u32());
                }
            }
        }
        return OptionalInt.empty();
    }

    /**
     * Makes a device of these connected sockets.
     *
     * @param index which device; empty for any that is free
     * @return the device's index
     */
    int connect(OptionalInt index, Setup setup, List<Integer> sockets) throws IOException {
        backend = setup.backend;
        NetlinkWriter request = netlink.begin(family, CMD_CONNECT, VERSION);
        writeConnect(request, index, setup, sockets);
        GenericNetlink.Message reply = netlink.request(System.nanoTime() + PATIENCE);
        if (reply != null) {
            for (NetlinkReader attributes = reply.attributes(); attributes.next(); ) {
                if (attributes.type() == ATTR_INDEX) {
                    return attributes.u32();
                }
            }
        }
        return index.orElseThrow(() -> new IOException("the kernel did not tell which nbd device it connected"));
    }

    static void writeConnect(NetlinkWriter request, OptionalInt index, Setup setup, List<Integer> sockets) {
        if (index.isPresent()) {
            request.u32(ATTR_INDEX, index.getAsInt());
        }
        request.u64(ATTR_SIZE_BYTES, setup.size)
                .u64(ATTR_BLOCK_SIZE_BYTES, setup.blockSize)
                .u64(ATTR_SERVER_FLAGS, setup.flags)
                .u64(ATTR_TIMEOUT, setup.requestTimeout)
                .u64(ATTR_DEAD_CONN_TIMEOUT, setup.deadTimeout);
        writeBackend(request, setup.backend); // kernels before 5.14 pass over it
        writeSockets(request, sockets);
    }

    /**
     * {@inheritDoc}
     *
     * <p>The kernel acknowledges in any case. A socket that it took bears its request timeout as send timeout.
     */
    @Override
    public boolean reconnect(int index, FdChannel socket) throws IOException {
        writeReconnect(netlink.begin(family, CMD_RECONFIGURE, VERSION), index, backend, socket.fd());
        netlink.request(System.nanoTime() + PATIENCE);
        return socket.sendTimeoutMillis() != 0;
    }

    /** For a device that another process has connected: what it was told then, which the kernel wants to hear again. */
    void adopt(String words) {
        backend = words;
    }

    private static void writeBackend(NetlinkWriter request, String backend) {
        if (!backend.isEmpty()) {
            request.string(ATTR_BACKEND_IDENTIFIER, backend);
        }
    }

    static void writeReconnect(NetlinkWriter request, int index, String backend, int socket) {
        request.u32(ATTR_INDEX, index);
        writeBackend(request, backend);
        writeSockets(request, List.of(socket));
    }

    private static void writeSockets(NetlinkWriter request, List<Integer> sockets) {
        int list = request.nest(ATTR_SOCKETS);
        for (int socket : sockets) {
            int item = request.nest(SOCK_ITEM);
            request.u32(SOCK_FD, socket).end(item);
        }
        request.end(list);
    }

    /** Drops the device's connections; requests in flight fail. */
    void disconnect(int index) throws IOException {
        netlink.begin(family, CMD_DISCONNECT, VERSION).u32(ATTR_INDEX, index);
        netlink.request(System.nanoTime() + PATIENCE);
    }

    @Override
    public boolean isConfigured(int index) throws IOException {
        netlink.begin(family, CMD_STATUS, VERSION).u32(ATTR_INDEX, index);
        GenericNetlink.Message reply = netlink.request(System.nanoTime() + PATIENCE);
        return reply != null && configured(reply.attributes(), index);
    }

    static boolean configured(NetlinkReader attributes, int index) {
        boolean result = false;
        while (attributes.next()) {
            if (attributes.type() != ATTR_DEVICE_LIST) {
                continue;
            }
            for (NetlinkReader items = attributes.nested(); items.next(); ) {
                if (items.type() != DEVICE_ITEM) {
                    continue;
                }
                int device = -1;
                boolean connected = false;
                for (NetlinkReader item = items.nested(); item.next(); ) {
                    if (item.type() == DEVICE_INDEX) {
                        device = item.u32();
                    } else if (item.type() == DEVICE_CONNECTED) {
                        connected = item.u8() != 0;
                    }
                }
                result |= device == index && connected;
            }
        }
        return result;
    }

    @Override
    public void close() {
        netlink.close();
    }
}
