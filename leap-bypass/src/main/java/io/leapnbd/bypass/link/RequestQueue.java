package io.leapnbd.bypass.link;

import org.jspecify.annotations.Nullable;

/** A first-in first-out list of requests, linked through the requests themselves. For one thread. */
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

    void add(LinkRequest request) {
        request.next = null;
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
            head = request.next;
            if (head == null) {
                tail = null;
            }
            request.next = null;
            size--;
        }
        return request;
    }
}
