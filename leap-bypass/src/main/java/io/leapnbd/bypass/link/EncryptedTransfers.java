package io.leapnbd.bypass.link;

import io.leapnbd.donor.rdma.Transfers;
import io.leapnbd.donor.tls.MessageTls;
import io.netty.buffer.ByteBuf;
import java.io.IOException;

/**
 * Messages of a connection to a donor of a pool, which is authenticated: written and read as they are, and encrypted on the way. There is one
 * buffer for all that are sent, so a message is sent before the next one is written; and one for what was received last. Reads by the device are
 * as they are. For one thread.
 *
 * @param below of the connection
 */
record EncryptedTransfers(MessageTls tls, Transfers below) implements Transfers {

    @Override
    public ByteBuf sendFrame(int slot) {
        return tls.plain();
    }

    @Override
    public void send(int slot, int length) throws IOException {
        below.send(slot, tls.seal(length, below.sendFrame(slot)));
    }

    @Override
    public ByteBuf receiveFrame(int slot) {
        return tls.opened();
    }

    @Override
    public void receive(int slot) throws IOException {
        below.receive(slot);
    }

    @Override
    public void read(int slot, long to, int localKey, int length, long from, int remoteKey) throws IOException {
        below.read(slot, to, localKey, length, from, remoteKey);
    }

    @Override
    public int descriptor() {
        return below.descriptor();
    }

    @Override
    public void arm() throws IOException {
        below.arm();
    }

    @Override
    public void reapAfterEvent() throws IOException {
        below.reapAfterEvent();
    }

    @Override
    public boolean awaitCompletions(int millis) throws IOException {
        return below.awaitCompletions(millis);
    }

    @Override
    public int reap() throws IOException {
        return below.reap();
    }
}
