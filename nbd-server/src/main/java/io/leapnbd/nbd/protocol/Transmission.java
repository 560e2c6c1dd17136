package io.leapnbd.nbd.protocol;

/** The transmission phase: layouts of requests and replies, and the flags that go with them ("Transmission"). */
public final class Transmission {

    /** Start of a request. */
    public static final int REQUEST_MAGIC = 0x25609513;

    /** Start of a simple reply. */
    public static final int SIMPLE_REPLY_MAGIC = 0x67446698;

    /** Start of a structured reply chunk. */
    public static final int STRUCTURED_REPLY_MAGIC = 0x668e33ef;

    /** Bytes of a request's header: magic, flags, type, cookie, offset, length. */
    public static final int REQUEST_SIZE = 28;

    /** Offset of the command flags in a request (16 bits). */
    public static final int REQUEST_FLAGS = 4;

    /** Offset of the command in a request (16 bits). */
    public static final int REQUEST_TYPE = 6;

    /** Offset of the cookie in a request (64 bits). */
    public static final int REQUEST_COOKIE = 8;

    /** Offset of the export offset in a request (64 bits, unsigned). */
    public static final int REQUEST_OFFSET = 16;

    /** Offset of the length in a request (32 bits, unsigned). */
    public static final int REQUEST_LENGTH = 24;

    /** Bytes of a simple reply's header: magic, error, cookie. */
    public static final int SIMPLE_REPLY_SIZE = 16;

    /** Bytes of a structured reply chunk's header: magic, flags, type, cookie, length. */
    public static final int CHUNK_SIZE = 20;

    /** Bytes before the data of an {@link #CHUNK_OFFSET_DATA} chunk: its header and the offset. */
    public static final int OFFSET_DATA_SIZE = CHUNK_SIZE + 8;

    /** Chunk flag: the last chunk of a reply. */
    public static final int CHUNK_FLAG_DONE = 1;

    public static final int CHUNK_NONE = 0;
    public static final int CHUNK_OFFSET_DATA = 1;
    public static final int CHUNK_OFFSET_HOLE = 2;
    public static final int CHUNK_BLOCK_STATUS = 5;
    public static final int CHUNK_ERROR = (1 << 15) + 1;
    public static final int CHUNK_ERROR_OFFSET = (1 << 15) + 2;

    /** Command flag, any command: safe before it is answered. */
    public static final int CMD_FLAG_FUA = 1;

    /** Command flag of WRITE_ZEROES: keep the room allocated. */
    public static final int CMD_FLAG_NO_HOLE = 1 << 1;

    /** Command flag of READ: answer with one content chunk. */
    public static final int CMD_FLAG_DF = 1 << 2;

    /** Command flag of BLOCK_STATUS: answer with one extent. */
    public static final int CMD_FLAG_REQ_ONE = 1 << 3;

    /** Command flag of WRITE_ZEROES: fail at once with ENOTSUP rather than write zeros one by one. */
    public static final int CMD_FLAG_FAST_ZERO = 1 << 4;

    /** Transmission flags, as the handshake's reply carries them ("Transmission flags"). */
    public static final int HAS_FLAGS = 1;

    public static final int READ_ONLY = 1 << 1;
    public static final int SEND_FLUSH = 1 << 2;
    public static final int SEND_FUA = 1 << 3;
    public static final int ROTATIONAL = 1 << 4;
    public static final int SEND_TRIM = 1 << 5;
    public static final int SEND_WRITE_ZEROES = 1 << 6;
    public static final int SEND_DF = 1 << 7;
    public static final int CAN_MULTI_CONN = 1 << 8;
    public static final int SEND_CACHE = 1 << 10;
    public static final int SEND_FAST_ZERO = 1 << 11;

    /** The disconnect request's number; it is not among {@link io.leapnbd.nbd.spi.Command} since nothing answers it. */
    public static final int CMD_DISC = 2;

    /** Largest payload of a READ or WRITE in bytes, as advertised ("Block size constraints"). */
    public static final int MAX_PAYLOAD = 32 << 20;

    /** Largest payload of a WRITE in bytes that is still drained and refused; a longer one ends the connection. */
    public static final int MAX_DRAINED = 64 << 20;

    /** Smallest block: every byte is addressable. */
    public static final int MIN_BLOCK = 1;

    /** Block size that costs least: a page. */
    public static final int PREFERRED_BLOCK = 4096;

    private Transmission() {}
}
