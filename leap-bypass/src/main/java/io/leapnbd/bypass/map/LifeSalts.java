package io.leapnbd.bypass.map;

import io.leapnbd.bypass.cipher.LifeKeys;
import io.leapnbd.bypass.cipher.PageKeys;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Supplier;

/** The salts of all lives that pages are encrypted under, 16 bytes each; zeros are none. At a start only. */
final class LifeSalts {

    static final long LENGTH = (long) PageKeys.LIVES * LifeKeys.SALT;

    private final MemorySegment memory;

    LifeSalts(MemorySegment memory) {
        this.memory = memory;
    }

    /**
     * Begins a life, with a salt that nobody has used.
     *
     * @param used which lives still have pages; asked for only if all numbers were given out
     * @return its number
     * @throws IOException if all of them have
     */
    int begin(Supplier<BitSet> used) throws IOException {
        int life = 0;
        while (life < PageKeys.LIVES && !isFree(life)) {
            life++;
        }
        if (life == PageKeys.LIVES) {
            life = used.get().nextClearBit(0);
        }
        if (life >= PageKeys.LIVES) {
            throw new IOException("the server of this export was started " + PageKeys.LIVES
                    + " times, and pages of each time are left; start blank with --fresh");
        }
        byte[] salt = LifeKeys.drawSalt();
        MemorySegment.copy(salt, 0, memory, ValueLayout.JAVA_BYTE, (long) life * LifeKeys.SALT, LifeKeys.SALT);
        // Before the first page that is encrypted under it.
        VarHandle.releaseFence();
        return life;
    }

    private boolean isFree(int life) {
        for (byte one : salt(life)) {
            if (one != 0) {
                return false;
            }
        }
        return true;
    }

    private byte[] salt(int life) {
        return memory.asSlice((long) life * LifeKeys.SALT, LifeKeys.SALT).toArray(ValueLayout.JAVA_BYTE);
    }

    /** All of them, by number, up to the last one that there is. */
    List<byte[]> all() {
        int lives = PageKeys.LIVES;
        while (lives > 0 && isFree(lives - 1)) {
            lives--;
        }
        List<byte[]> salts = new ArrayList<>(lives);
        for (int life = 0; life < lives; life++) {
            salts.add(salt(life));
        }
        return salts;
    }
}
