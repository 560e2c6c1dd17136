package io.leapnbd.tools.record;

import io.leapnbd.tools.linux.PlainFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/**
 * A file of text that grows in blocks. A block is written by one call, and of a {@code .gz} file each block is a gzip member of
 * its own (RFC 1952, section 2.2), so that the file can be read at any moment, whatever becomes of the one who writes it: up
 * to the last whole block. A member says how long it is in a field of its own, so the next writer finds the last whole one
 * without reading them all, cuts off what is behind it, and goes on. Nothing is allocated between opening and closing, because a garbage
 * collection would hold up the event loops. For one thread.
 */
final class TraceFile implements Closeable {

    /** What every such file begins with. */
    static final String TITLE = "# leap-nbd trace";

    /** Bytes of text in a block at most. */
    private static final int BLOCK = 1 << 18;

    /** Room for any line that is added, and for what does not compress. */
    private static final int SLACK = 1 << 12;

    private static final int MAX_LINE = 4096;
    private static final int MAX_DIGITS = 20;

    /** Magic, deflate, an extra field, no time, no extra flags, Unix; the extra field's length, name and length of its data. */
    private static final byte[] GZIP_HEADER = {0x1f, (byte) 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 8, 0, 'L', 'N', 4, 0};

    /** Header, and the member's length. */
    private static final int HEADER = GZIP_HEADER.length + Integer.BYTES;

    private final FileChannel file;
    private final Deflater deflater;
    private final boolean zipped;
    private final long begin;
    private final CRC32 crc = new CRC32();
    private final ByteBuffer text = ByteBuffer.allocateDirect(BLOCK + SLACK);
    private final ByteBuffer member = ByteBuffer.allocateDirect(BLOCK + SLACK).order(ByteOrder.LITTLE_ENDIAN);
    private final byte[] digits = new byte[MAX_DIGITS];

    /**
     * Creates the file, or goes on with one that is there.
     *
     * @throws java.nio.file.FileAlreadyExistsException if what is there is no such file
     */
    TraceFile(Path path) throws IOException {
        zipped = path.toString().endsWith(".gz");
        file = PlainFile.append(path);
        boolean ours = false;
        try {
            ours = file.size() == 0 || (zipped ? goOnZipped() : goOn());
            begin = file.position();
        } finally {
            if (!ours) {
                file.close();
            }
        }
        if (!ours) {
            throw new FileAlreadyExistsException(path.toString());
        }
        deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
    }

    private boolean goOn() throws IOException {
        ByteBuffer title = ByteBuffer.allocate(TITLE.length());
        int _ = file.read(title, 0);
        if (!new String(title.array(), StandardCharsets.US_ASCII).equals(TITLE)) {
            return false;
        }
        PlainFile.endWithWholeLine(file, MAX_LINE);
        return true;
    }

    /** From member to member, as far as they are whole. */
    private boolean goOnZipped() throws IOException {
        ByteBuffer header = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
        long at = 0;
        long size = file.size();
        while (at + HEADER <= size) {
            header.clear();
            int _ = file.read(header, at);
            for (int i = 0; i < GZIP_HEADER.length; i++) {
                if (header.get(i) != GZIP_HEADER[i]) {
                    return false;
                }
            }
            int length = header.getInt(GZIP_HEADER.length);
            if (length <= HEADER) {
                return false;
            }
            if (at + length > size) {
                break;
            }
            at += length;
        }
        if (at == 0) {
            return false;
        }
        file.truncate(at);
        file.position(at);
        return true;
    }

    /** Bytes in the file. */
    long size() throws IOException {
        return file.position();
    }

    /** Takes back what was written, and closes it: what was there before stays. */
    void discard() throws IOException {
        file.truncate(begin);
        close();
    }

    /** Whether it was there, with something in it, before it was opened. */
    boolean goesOn() {
        return begin > 0;
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
        member.put(GZIP_HEADER).putInt(0);
        while (!deflater.finished()) {
            int _ = deflater.deflate(member);
        }
        member.putInt((int) crc.getValue()).putInt(size);
        return member.putInt(GZIP_HEADER.length, member.position()).flip();
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
