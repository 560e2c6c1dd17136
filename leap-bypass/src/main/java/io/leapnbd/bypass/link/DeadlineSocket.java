package io.leapnbd.bypass.link;

import io.leapnbd.donor.tls.TlsProblem;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.concurrent.TimeUnit;

/** A socket that is read until a time and no longer, however many reads that takes: whoever trickles gets no more time. For one thread. */
final class DeadlineSocket extends Socket {

    private long deadline;

    /** The first two bytes that were read; -1: not yet. */
    private int first = -1;

    private int second = -1;

    /** From now on reads end at this {@link System#nanoTime}. */
    void readUntil(long nanoTime) {
        deadline = nanoTime;
    }

    @Override
    public InputStream getInputStream() throws IOException {
        return new FilterInputStream(super.getInputStream()) {
            @Override
            public int read() throws IOException {
                limit();
                return super.read();
            }

            @Override
            public int read(byte[] into, int offset, int length) throws IOException {
                limit();
                int count = super.read(into, offset, length);
                if (second < 0 && count > 1) {
                    first = into[offset] & 0xff;
                    second = into[offset + 1] & 0xff;
                }
                return count;
            }
        };
    }

    /** Whether the peer has begun to say something, and that is not TLS. */
    boolean hasNoTls() {
        return second >= 0 && !TlsProblem.beginsTls(first, second);
    }

    private void limit() throws IOException {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
            throw new SocketTimeoutException("no time is left");
        }
        setSoTimeout(Math.clamp(TimeUnit.NANOSECONDS.toMillis(left), 1, Integer.MAX_VALUE));
    }
}
