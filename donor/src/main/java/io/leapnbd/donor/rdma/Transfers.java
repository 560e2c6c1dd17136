package io.leapnbd.donor.rdma;

import io.netty.buffer.ByteBuf;
import java.io.IOException;

/**
 * Messages and reads of one connection, known by the number of their slot. What has become of them is told to the {@link
 * QueuePair.Completions}, from within the methods that reap. Every method is called by one thread.
 */
public interface Transfers {

    /** What to wait on until there are completions; see {@link #reapAfterEvent}. */
    int descriptor();

    /** Posts an RDMA read: {@code length} bytes from the peer's address {@code from} to {@code to}. */
    void read(int slot, long to, int localKey, int length, long from, int remoteKey) throws IOException;

    /** Where a message to send is written, before {@link #send}. */
    ByteBuf sendFrame(int slot);

    /** Sends the first bytes of a slot's frame. */
    void send(int slot, int length) throws IOException;

    /** Where a message that has arrived is. */
    ByteBuf receiveFrame(int slot);

    /** Lets a receive buffer be filled again. */
    void receive(int slot) throws IOException;

    /** Asks for an event when there are completions; without, {@link #reap} has to be called again and again. */
    void arm() throws IOException;

    /** Takes an event off the completion channel, asks for the next one, and tells of all completions. */
    void reapAfterEvent() throws IOException;

    /** Waits for completions, and tells of them; false if there were none within {@code millis}. */
    boolean awaitCompletions(int millis) throws IOException;

    /** Tells of all completions that there are; how many. */
    int reap() throws IOException;
}
