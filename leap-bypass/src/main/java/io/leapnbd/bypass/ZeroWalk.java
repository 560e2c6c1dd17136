package io.leapnbd.bypass;

import io.leapnbd.bypass.cache.CachedPages;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.path.ClientRequest;
import io.leapnbd.bypass.path.DeviceLoop;
import io.leapnbd.bypass.path.ReadPath;
import io.leapnbd.nbd.spi.Completion;

/**
 * A trim or a write of zeros on its way through the slabs of its range, which may be thousands. No more than {@link #MOST_PARTS}
 * of its parts are under way at a time, and the next is made when one has ended. Parts that are blank anyway are passed over; after
 * {@link #TURN} of them the loop looks after its other clients. For the loop's thread.
 */
final class ZeroWalk implements Completion {

    static final int MOST_PARTS = 4;

    private static final int TURN = 64;
    private static final long NOWHERE = -1;

    private final DeviceLoop loop;
    private final CachedPages pages;
    private final AddressMap map;
    private final Operation operation;
    private final boolean allocate;
    private final long end;
    private final long startNanos;
    private final Completion completion;
    private long next;
    private int underWay;
    private boolean walking;
    private int error;
    private long errorOffset = NOWHERE;

    ZeroWalk(
            DeviceLoop loop,
            CachedPages pages,
            AddressMap map,
            Operation operation,
            boolean allocate,
            long offset,
            long length,
            long startNanos,
            Completion completion) {
        this.loop = loop;
        this.pages = pages;
        this.map = map;
        this.operation = operation;
        this.allocate = allocate;
        next = offset;
        end = offset + length;
        this.startNanos = startNanos;
        this.completion = completion;
    }

    /** Makes parts for as long as it may. */
    void walk() {
        walking = true;
        boolean paused = false;
        int turn = TURN;
        while (next < end && error == 0 && underWay < MOST_PARTS && !paused) {
            if (turn-- == 0) {
                paused = true;
                // Counts as under way, so that nothing ends meanwhile.
                underWay++;
                loop.steps().add(this::resume);
            } else {
                part();
            }
        }
        walking = false;
        endIfDone();
    }

    private void resume() {
        underWay--;
        walk();
        loop.flush();
    }

    private void part() {
        long at = next;
        long partEnd = ReadPath.endOfPart(map, at, end, map.slabSize());
        int length = (int) (partEnd - at);
        next = partEnd;
        underWay++;
        ClientRequest request = loop.begin(operation, startNanos, this);
        try {
            if (allocate || !pages.zeroAnyway(request, at, length)) {
                pages.beginChange(request, at, length);
                pages.zero(request, at, length, allocate, operation == Operation.WRITE_ZEROES);
            }
        } catch (RuntimeException | Error e) {
            request.fail(e);
        }
        request.endSplitting();
    }

    /** A part has ended. */
    @Override
    public void complete(int partError) {
        completeAt(partError, NOWHERE);
    }

    @Override
    public void completeAt(int partError, long offset) {
        underWay--;
        if (error == 0 && partError != 0) {
            error = partError;
            errorOffset = offset;
        }
        if (!walking) {
            walk();
            loop.flush();
        }
    }

    private void endIfDone() {
        if (underWay == 0 && (next >= end || error != 0)) {
            // Once: whatever else ends now has been counted.
            underWay = Integer.MIN_VALUE;
            if (errorOffset == NOWHERE) {
                completion.complete(error);
            } else {
                completion.completeAt(error, errorOffset);
            }
        }
    }
}
