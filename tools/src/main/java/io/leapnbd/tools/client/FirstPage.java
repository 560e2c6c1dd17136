package io.leapnbd.tools.client;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.spi.Command;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;

/**
 * Reads and writes the first 4 KiB of an export, where a swap area has its header, over a connection that is in the
 * transmission phase. Each call ends with its reply taken, so the socket can be handed to the kernel afterwards. Deadlines are
 * the channel's. Belongs to one thread.
 */
public final class FirstPage {
    public static final int SIZE = 4096;

    private final ByteChannel channel;
    private long cookie;

    public FirstPage(ByteChannel channel) {
        this.channel = channel;
    }

    /** A server answered with this error number of the NBD set; the connection is as good as before. */
    public static final class Refused extends IOException {
        private static final long serialVersionUID = 1;

        Refused(String what, int error) {
            super("the server answers " + what + " of the export's first page with error " + error);
        }
    }

    /**
     * The page, from 0 to 4096.
     *
     * @throws Refused when the server cannot read it: it may be lost
     */
    public ByteBuffer read() throws IOException {
        request(Command.READ);
        reply("a read");
        return receive(SIZE);
    }

    /** Writes what remains of {@code page}, which is 4 KiB. */
    public void write(ByteBuffer page) throws IOException {
        request(Command.WRITE);
        send(page.duplicate());
        reply("a write");
    }

    private void request(Command command) throws IOException {
        cookie++;
        send(ByteBuffer.allocate(Transmission.REQUEST_SIZE)
                .putInt(Transmission.REQUEST_MAGIC)
                .putShort((short) 0)
                .putShort((short) command.code())
                .putLong(cookie)
                .putLong(0)
                .putInt(SIZE)
                .flip());
    }

    private void reply(String what) throws IOException {
        ByteBuffer header = receive(Transmission.SIMPLE_REPLY_SIZE);
        if (header.getInt() != Transmission.SIMPLE_REPLY_MAGIC || header.getLong(8) != cookie) {
            throw new IOException("the server does not answer the request that it was sent");
        }
        int error = header.getInt(4);
        if (error != 0) {
            throw new Refused(what, error);
        }
    }

    private void send(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private ByteBuffer receive(int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException("the server has closed the connection");
            }
        }
        return buffer.flip();
    }
}
