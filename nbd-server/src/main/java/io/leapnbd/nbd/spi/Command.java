package io.leapnbd.nbd.spi;

import org.jspecify.annotations.Nullable;

/** What a request asks for ("Request types"). DISC is not among them: it has no reply. */
public enum Command {
    READ(0),
    WRITE(1),
    FLUSH(3),
    TRIM(4),
    CACHE(5),
    WRITE_ZEROES(6),
    BLOCK_STATUS(7);

    private static final @Nullable Command[] BY_CODE = {
        READ, WRITE, null, FLUSH, TRIM, CACHE, WRITE_ZEROES, BLOCK_STATUS
    };

    private final int code;

    Command(int code) {
        this.code = code;
    }

    /** The number on the wire. */
    public int code() {
        return code;
    }

    /** The command with a number, or null for one that this project does not know and for DISC. */
    public static @Nullable Command of(int code) {
        return code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
    }

    /** Whether it changes what the device holds, so that a read-only export refuses it. */
    public boolean changes() {
        return this == WRITE || this == TRIM || this == WRITE_ZEROES;
    }
}
