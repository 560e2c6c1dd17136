package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.cipher.CipherKind;
import java.util.UUID;

/**
 * What the operator wants.
 *
 * @param export its name
 * @param size bytes of the device
 * @param host number of this machine
 * @param loops event loops: links that each donor has to accept
 * @param takeOver whether an export may be taken that another server answers for, or another machine, or that has other contents
 * @param fresh whether to begin blank
 * @param loseMissing whether to go on without donors that hold pages, which are lost then
 * @param cipher how pages are encrypted
 * @param boot number of this boot of the machine
 */
record TakeoverOptions(
        String export,
        long size,
        UUID host,
        int loops,
        boolean takeOver,
        boolean fresh,
        boolean loseMissing,
        CipherKind cipher,
        UUID boot) {

    /** Of pages that are not encrypted. */
    TakeoverOptions(
            String export, long size, UUID host, int loops, boolean takeOver, boolean fresh, boolean loseMissing) {
        this(export, size, host, loops, takeOver, fresh, loseMissing, CipherKind.NONE, new UUID(0, 1));
    }
}
