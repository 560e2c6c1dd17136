package io.leapnbd.donor.store;

import java.util.UUID;

/**
 * An export as a donor sees it.
 *
 * @param name of the export
 * @param slabs how many it holds here
 * @param epoch highest that claimed it
 * @param instance the server that did
 * @param links open links of that epoch
 * @param leaseSecondsLeft until its slabs are taken back; the whole lease as long as there are links
 */
public record ExportStatistics(String name, int slabs, long epoch, UUID instance, int links, long leaseSecondsLeft) {}
