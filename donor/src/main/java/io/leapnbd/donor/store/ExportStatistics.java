package io.leapnbd.donor.store;

import java.util.UUID;

/**
 * An export as a donor sees it.
 *
 * @param name of the export
 * @param identity whose it is
 * @param slabs how many it holds here
 * @param elsewhere how many of these its server has, or is filling from, another live copy of
 * @param epoch of the last claim
 * @param instance the server that made it
 * @param links open links of that epoch
 * @param leaseSecondsLeft until its slabs are taken back; the whole lease as long as there are links
 * @param content the contents that it holds
 * @param term the server's number among those of the export
 * @param host number of the machine that the server runs on
 * @param owner what the server calls itself; it may say anything, so it has to be escaped before people see it
 * @param account who it is, as the donor's listener knows: whose limit its slabs count towards
 */
public record ExportStatistics(
        String name,
        Identity identity,
        int slabs,
        int elsewhere,
        long epoch,
        UUID instance,
        int links,
        long leaseSecondsLeft,
        UUID content,
        long term,
        UUID host,
        String owner,
        String account) {}
