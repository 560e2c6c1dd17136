package io.leapnbd.donor.rdma;

/**
 * What one end of a connection has slots and buffers for.
 *
 * @param reads slots of reads
 * @param sends slots of messages to send
 * @param receives buffers for messages that arrive
 * @param frameBytes of the longest message
 */
public record FrameCounts(int reads, int sends, int receives, int frameBytes) {}
