package io.leapnbd.bypass.map;

import java.util.UUID;

/**
 * Where one slab of the device is. Immutable: a slab that moves gets another mapping, so that whoever holds this one can tell.
 *
 * @param donor index of the donor in the server's list
 * @param incarnation the donor process that granted it
 * @param handle what that process calls it
 * @param grantVersion version of the grant
 */
public record Mapping(int donor, UUID incarnation, int handle, long grantVersion) {}
