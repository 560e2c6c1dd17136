package io.leapnbd.bypass;

import io.leapnbd.bypass.cache.FetchOwners;
import io.leapnbd.bypass.cache.Prefetching;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.path.NoteSpreader;
import io.leapnbd.bypass.path.PlacementChanges;
import io.leapnbd.bypass.path.SealFigures;
import io.leapnbd.bypass.path.SlabAllocator;
import io.leapnbd.bypass.path.SlabLosses;
import io.leapnbd.bypass.path.Versions;
import io.leapnbd.bypass.path.WriteOrder;
import io.leapnbd.prefetch.PageCache;

/**
 * What all loops of a device share.
 *
 * @param memberTimeoutNanos how long a donor may be silent while another has the pages too
 */
record SharedParts(
        RemoteDeviceContext context,
        DeviceDonors donors,
        AddressMap map,
        PageCache cache,
        FetchOwners fetchOwners,
        Prefetching prefetching,
        Versions versions,
        WriteOrder writeOrder,
        SlabAllocator allocator,
        SlabLosses losses,
        PlacementChanges placing,
        SealFigures sealFigures,
        NoteSpreader notes,
        long memberTimeoutNanos) {}
