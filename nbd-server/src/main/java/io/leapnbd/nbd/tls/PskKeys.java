package io.leapnbd.nbd.tls;

import io.leapnbd.nbd.Printable;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Shared keys by the names that clients give ("PSK identity"). Shows neither. Never changes; any thread. */
public final class PskKeys {

    /** Longest name in bytes, as GnuTLS has it. */
    static final int LONGEST_NAME = 128;

    /** Shortest key in bytes: who records a handshake may try all shorter ones. */
    static final int SHORTEST_KEY = 16;

    /** Longest key in bytes, as GnuTLS has it. */
    static final int LONGEST_KEY = 64;

    /** Names are bytes; here each is a character. */
    private final Map<String, byte[]> keys;

    PskKeys(Map<String, byte[]> keys) {
        this.keys = new HashMap<>(keys);
    }

    /** How many there are. */
    public int count() {
        return keys.size();
    }

    /** The key of a name, of which each byte is a character; null if there is none. Not to be changed. */
    byte @Nullable [] find(String name) {
        return keys.get(name);
    }

    /** A name as people read it. */
    static String shown(String name) {
        return Printable.of(new String(name.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8));
    }

    @Override
    public String toString() {
        return count() + " shared keys";
    }
}
