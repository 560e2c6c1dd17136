package io.leapnbd.bypass.map;

import io.leapnbd.bypass.cipher.LifeKeys;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.UUID;

/**
 * Where a state file keeps the secret of encrypted pages, unless it is kept elsewhere ({@code --key-file}), and eight bytes that show which secret it is. The
 * file is readable by its owner only.
 */
public final class SecretSpace {

    static final int LENGTH = 64;

    private static final int AT_SECRET = 8;
    private static final int AT_CHECK = 48;
    private static final long HERE = 1;
    private static final long ELSEWHERE = 2;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment memory;

    SecretSpace(MemorySegment memory) {
        this.memory = memory;
    }

    /** Contents begin that are encrypted with a secret, which is kept here. */
    public void keep(UUID content, byte[] secret) {
        MemorySegment.copy(secret, 0, memory, ValueLayout.JAVA_BYTE, AT_SECRET, LifeKeys.SECRET);
        memory.set(LONG, AT_CHECK, LifeKeys.check(content, secret));
        memory.set(LONG, 0, HERE);
    }

    /** Likewise, and the secret is kept elsewhere. */
    public void remember(UUID content, byte[] secret) {
        memory.set(LONG, AT_CHECK, LifeKeys.check(content, secret));
        memory.set(LONG, 0, ELSEWHERE);
    }

    /** Whether it is kept here. */
    public boolean isHere() {
        return memory.get(LONG, 0) == HERE;
    }

    /** The secret, which is kept here. */
    byte[] get() {
        if (!isHere()) {
            throw new IllegalStateException("the secret is not kept in the state file");
        }
        byte[] secret = new byte[LifeKeys.SECRET];
        MemorySegment.copy(memory, ValueLayout.JAVA_BYTE, AT_SECRET, secret, 0, LifeKeys.SECRET);
        return secret;
    }

    /** Whether contents were encrypted with a secret. */
    public boolean isOf(UUID content, byte[] secret) {
        return memory.get(LONG, AT_CHECK) == LifeKeys.check(content, secret);
    }

    /** Whether the secret that is kept here is whole. */
    public boolean isWhole(UUID content) {
        return isHere() && isOf(content, get());
    }
}
