package io.leapnbd.donor.store;

import java.util.Arrays;

/** A double-ended queue of slots, four bytes each: a store may have a million. It grows with its contents. For one thread at a time. */
final class SlotQueue {

    private static final int FIRST_CAPACITY = 16;

    private int[] slots = new int[FIRST_CAPACITY];

    /** Where the first is. */
    private int from;

    private int size;

    int size() {
        return size;
    }

    boolean isEmpty() {
        return size == 0;
    }

    void addLast(int slot) {
        if (size == slots.length) {
            int[] larger = new int[2 * size];
            for (int i = 0; i < size; i++) {
                larger[i] = slots[at(i)];
            }
            slots = larger;
            from = 0;
        }
        slots[at(size)] = slot;
        size++;
    }

    /** There is one. */
    int first() {
        return slots[at(0)];
    }

    /** There is one. */
    int last() {
        return slots[at(size - 1)];
    }

    /** There is one. */
    int removeFirst() {
        int slot = first();
        from = at(1);
        size--;
        shrink();
        return slot;
    }

    /** There is one. */
    int removeLast() {
        int slot = last();
        size--;
        shrink();
        return slot;
    }

    /** Removes a slot that is in it at most once; false if it is not there. Looks from the end on. */
    boolean remove(int slot) {
        for (int i = size - 1; i >= 0; i--) {
            if (slots[at(i)] == slot) {
                for (int j = i; j < size - 1; j++) {
                    slots[at(j)] = slots[at(j + 1)];
                }
                size--;
                return true;
            }
        }
        return false;
    }

    private void shrink() {
        if (size == 0 && slots.length > FIRST_CAPACITY) {
            slots = new int[FIRST_CAPACITY];
            from = 0;
        }
    }

    private int at(int place) {
        return (from + place) % slots.length;
    }

    @Override
    public String toString() {
        int[] all = new int[size];
        Arrays.setAll(all, i -> slots[at(i)]);
        return Arrays.toString(all);
    }
}
