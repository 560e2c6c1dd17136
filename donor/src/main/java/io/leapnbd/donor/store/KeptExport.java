package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Claimant;
import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * What a {@link SlabFile} knows of an export.
 *
 * @param name of the export
 * @param epoch of the last claim
 * @param content of all its slabs
 * @param claimant the server that has claimed it
 * @param noteVersion of the note
 * @param note for the next server; never written to
 */
public record KeptExport(String name, long epoch, UUID content, Claimant claimant, long noteVersion, ByteBuffer note) {}
