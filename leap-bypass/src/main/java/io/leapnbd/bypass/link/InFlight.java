package io.leapnbd.bypass.link;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one connection that wait for a reply, found by cookie.
 *
 * <pre>
 *  31            16 15             0
 * +----------------+----------------+
 * |   generation   |      slot      |
 * +----------------+----------------+
 * </pre>
 *
 * <p>The generation counts how often the slot was used, so that a reply which nobody asked for is recognised and does not end
 * somebody else's request. For one thread.
 */
final class InFlight {

    private static final int MAX_SLOTS = 1024;

    private final @Nullable LinkRequest[] slots;
    private final short[] generations;
    private final int[] free;
    private int freeCount;

    InFlight(int limit) {
        int size = Math.clamp(limit, 1, MAX_SLOTS);
        slots = new LinkRequest[size];
        generations = new short[size];
        free = new int[size];
        for (int i = 0; i < size; i++) {
            free[i] = size - 1 - i;
        }
        freeCount = size;
    }

    boolean full() {
        return freeCount == 0;
    }

    boolean isEmpty() {
        return freeCount == slots.length;
    }

    int size() {
        return slots.length - freeCount;
    }

    /** Takes a slot and returns the cookie. */
    int add(LinkRequest request) {
        int slot = free[--freeCount];
        slots[slot] = request;
        request.slot = slot;
        return generations[slot] << 16 | slot;
    }

    /** The request with this cookie, or null if there is none. */
    @Nullable
    LinkRequest get(int cookie) {
        int slot = cookie & 0xffff;
        return slot < slots.length && generations[slot] == (short) (cookie >>> 16) ? slots[slot] : null;
    }

    void remove(LinkRequest request) {
        int slot = request.slot;
        slots[slot] = null;
        generations[slot]++;
        free[freeCount++] = slot;
    }

    /** Takes out any one request; null when there is none left. */
    @Nullable
    LinkRequest removeAny() {
        for (LinkRequest request : slots) {
            if (request != null) {
                remove(request);
                return request;
            }
        }
        return null;
    }

    /** Shows all of them to somebody. */
    void each(Consumer<LinkRequest> to) {
        for (LinkRequest request : slots) {
            if (request != null) {
                to.accept(request);
            }
        }
    }

    /** Whether any request shows that the connection is broken. */
    boolean anyOverdue(Patience patience, long now, long heardNanos) {
        for (LinkRequest request : slots) {
            if (request != null && patience.isOver(request, now, heardNanos)) {
                return true;
            }
        }
        return false;
    }
}
