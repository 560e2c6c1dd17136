package io.leapnbd.tools.record;

import io.leapnbd.tools.linux.PlainFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/**
 * A file of text that grows in blocks. A block is written by one call, and of a {@code .gz} file each block is a gzip member of
 * its own (RFC 1952, section 2.2), so that the file can be read at any moment, whatever becomes of the one who writes it: up
 * to the last whole block. Nothing is allocated between opening and closing, because a garbage collection would hold up the
 * event loops. For one thread.
 */
final class TraceFile implements Closeable {

    /** Bytes of text in a block at most. */
    private static final int BLOCK = 1 << 18;

    /** Room for any line that is added, and for what does not compress. */
    private static final int SLACK = 1 << 12;

    private static final int MAX_DIGITS = 20;

    /** Magic, deflate, no flags, no time, no extra flags, Unix. */
    private static final byte[] GZIP_HEADER = {0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};

    private final FileChannel file;
    private final Deflater deflater;
    private final boolean zipped;
    private final CRC32 crc = new CRC32();
    private final ByteBuffer text = ByteBuffer.allocateDirect(BLOCK + SLACK);
    private final ByteBuffer member = ByteBuffer.allocateDirect(BLOCK + SLACK).order(ByteOrder.LITTLE_ENDIAN);
    private final byte[] digits = new byte[MAX_DIGITS];

    /**
     * Creates the file.
     *
     * @throws java.nio.file.FileAlreadyExistsException if there is one
     */
    TraceFile(Path path) throws IOException {
        file = PlainFile.create(path);
        zipped = path.toString().endsWith(".gz");
        deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
    }

    /** Adds a line, without its line feed. */
    void line(String line) {
        text.put(line.getBytes(StandardCharsets.UTF_8)).put((byte) '\n');
    }

    /** Adds one request. */
    void request(long micros, char kind, long page, long pages) {
        number(micros);
        text.put((byte) ' ').put((byte) kind).put((byte) ' ');
        number(page);
        text.put((byte) ' ');
        number(pages);
        text.put((byte) '\n');
    }

    /** Whether a block is full, and has to be written before more is added. */
    boolean full() {
        return text.position() >= BLOCK;
    }

    /** Whether nothing waits to be written. */
    boolean isEmpty() {
        return text.position() == 0;
    }

    /** Writes what was added as a block. */
    void write() throws IOException {
        text.flip();
        try {
            if (text.hasRemaining()) {
                put(zipped ? compressed() : text);
            }
        } finally {
            text.clear();
        }
    }

    private ByteBuffer compressed() {
        int size = text.remaining();
        crc.reset();
        crc.update(text);
        text.flip();
        deflater.reset();
        deflater.setInput(text);
        deflater.finish();
        member.clear();
        member.put(GZIP_HEADER);
        while (!deflater.finished()) {
            int _ = deflater.deflate(member);
        }
        return member.putInt((int) crc.getValue()).putInt(size).flip();
    }

    private void put(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            int _ = file.write(bytes);
        }
    }

    private void number(long value) {
        int at = MAX_DIGITS;
        long rest = value;
        do {
            digits[--at] = (byte) ('0' + rest % 10);
            rest /= 10;
        } while (rest != 0);
        text.put(digits, at, MAX_DIGITS - at);
    }

    @Override
    public void close() throws IOException {
        deflater.end();
        file.close();
    }
}
