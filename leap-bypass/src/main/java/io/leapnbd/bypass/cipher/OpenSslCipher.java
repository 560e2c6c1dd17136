package io.leapnbd.bypass.cipher;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.IntFunction;

/**
 * libcrypto's AES-GCM: for each life a context that encrypts and one that decrypts, with the key set once. Allocates nothing for a page. Contexts stay until the process
 * ends, since a loop that has ended may have answers to come.
 */
final class OpenSslCipher implements PageCipher {

    private final CipherKind kind;
    private final IntFunction<byte[]> keys;
    private final int page;
    private final long[] sealing;
    private final long[] opening;
    private final Arena arena = Arena.ofAuto();
    private final long length = arena.allocate(Integer.BYTES, Integer.BYTES).address();
    private final long rest = arena.allocate(2L * TAG).address();

    /**
     * One loop's, on its thread.
     *
     * @param page bytes of a page
     * @param lives how many keys there may be
     * @param keys the key of a life; wiped after it was used
     */
    OpenSslCipher(CipherKind kind, int page, int lives, IntFunction<byte[]> keys) {
        this.kind = kind;
        this.page = page;
        this.keys = keys;
        sealing = new long[lives];
        opening = new long[lives];
    }

    @Override
    public void seal(int life, long nonce, long from, long to, long tag) {
        long context = sealing[life];
        if (context == 0) {
            context = context(life, true);
            sealing[life] = context;
        }
        OpenSsl.init(context, 0, 0, nonce, true);
        OpenSsl.update(context, to, length, from, page);
        if (!OpenSsl.end(context, rest, length)) {
            throw new IllegalStateException("a page cannot be encrypted");
        }
        OpenSsl.getTag(context, TAG, tag);
    }

    @Override
    public boolean open(int life, long nonce, long from, long to, long tag) {
        long context = opening[life];
        if (context == 0) {
            context = context(life, false);
            opening[life] = context;
        }
        OpenSsl.init(context, 0, 0, nonce, false);
        OpenSsl.update(context, to, length, from, page);
        OpenSsl.setTag(context, TAG, tag);
        return OpenSsl.end(context, rest, length);
    }

    private long context(int life, boolean encrypt) {
        byte[] key = keys.apply(life);
        long context = OpenSsl.newContext();
        if (context == 0) {
            throw new OutOfMemoryError("libcrypto has no memory for a key");
        }
        try (Arena brief = Arena.ofConfined()) {
            MemorySegment at = brief.allocate(key.length);
            MemorySegment.copy(key, 0, at, ValueLayout.JAVA_BYTE, 0, key.length);
            OpenSsl.init(context, OpenSsl.cipher(kind), at.address(), 0, encrypt);
            at.fill((byte) 0);
        }
        Arrays.fill(key, (byte) 0);
        return context;
    }
}
