package io.leapnbd.nbd.server;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.spi.BlockDevice;

/** A device under a name. */
record Export(String name, BlockDevice device) {

    /**
     * What this export can do, as "Transmission flags" has it.
     *
     * @param structured whether the client has negotiated structured replies, without which DF does not exist
     */
    int transmissionFlags(boolean structured) {
        int flags = Transmission.HAS_FLAGS
                | Transmission.SEND_FLUSH
                | Transmission.SEND_FUA
                | Transmission.CAN_MULTI_CONN
                | Transmission.SEND_CACHE;
        if (structured) {
            flags |= Transmission.SEND_DF;
        }
        return flags
                | (device.readOnly()
                        ? Transmission.READ_ONLY
                        : Transmission.SEND_TRIM | Transmission.SEND_WRITE_ZEROES | Transmission.SEND_FAST_ZERO);
    }
}
