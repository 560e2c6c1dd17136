package io.leapnbd.bypass.link;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A first-in first-out list of requests, linked through the requests themselves, so that any can be taken out. For one thread. */
final class RequestQueue {

    private @Nullable LinkRequest head;
    private @Nullable LinkRequest tail;
    private int size;

    boolean isEmpty() {
        return head == null;
    }

    int size() {
        return size;
    }

    @Nullable
    LinkRequest peek() {
        return head;
    }

    /** Adds a request that is in no list. */
    void add(LinkRequest request) {
        request.queue = this;
        request.previous = tail;
        if (tail == null) {
            head = request;
        } else {
            tail.next = request;
        }
        tail = request;
        size++;
    }

    @Nullable
    LinkRequest poll() {
        LinkRequest request = head;
        if (request != null) {
            boolean _ = remove(request);
        }
        return request;
    }

    /** Shows all of them to somebody, who leaves them where they are. */
    void each(Consumer<LinkRequest> to) {
        for (LinkRequest request = head; request != null; request = request.next) {
            to.accept(request);
        }
    }

    /** Takes a request out, wherever it stands; false if it is not in this list. */
    boolean remove(LinkRequest request) {
        if (request.queue != this) {
            return false;
        }
        LinkRequest before = request.previous;
        LinkRequest after = request.next;
        if (before == null) {
            head = after;
        } else {
            before.next = after;
        }
        if (after == null) {
            tail = before;
        } else {
            after.previous = before;
        }
        request.queue = null;
        request.previous = null;
        request.next = null;
        size--;
        return true;
    }
}
