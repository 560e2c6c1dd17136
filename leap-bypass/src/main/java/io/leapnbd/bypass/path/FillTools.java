package io.leapnbd.bypass.path;

import io.leapnbd.bypass.map.AddressMap;

/**
 * What a {@link Fill} works with; of one loop.
 *
 * @param traffic which pieces may be under way
 * @param losses told of pages that no copy has
 * @param requestNanos how long a read or write of a piece may take
 */
record FillTools(
        DeviceLoop loop,
        AddressMap map,
        WriteOrder order,
        Versions versions,
        Mending mending,
        SlabLosses losses,
        FillTraffic traffic,
        long requestNanos) {}
