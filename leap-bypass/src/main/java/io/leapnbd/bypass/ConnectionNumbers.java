package io.leapnbd.bypass;

import java.util.BitSet;

/** Gives connections small numbers, the lowest that is free, for as long as they last. Any thread; held for no time. */
final class ConnectionNumbers {

    private final BitSet taken = new BitSet();

    synchronized int take() {
        int number = taken.nextClearBit(0);
        taken.set(number);
        return number;
    }

    synchronized void giveBack(int number) {
        taken.clear(number);
    }
}
