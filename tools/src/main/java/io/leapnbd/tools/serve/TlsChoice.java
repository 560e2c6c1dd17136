package io.leapnbd.tools.serve;

import io.leapnbd.nbd.server.NbdTls;
import io.leapnbd.nbd.tls.PskKeys;
import io.leapnbd.nbd.tls.TlsFolder;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Whether clients may or must use TLS, and what they are known by: certificates, keys, or, without TLS, nothing.
 *
 * @param folder of certificates; null for none
 * @param keys that clients share; null for none
 * @param required whether clients over TCP have to use TLS
 */
record TlsChoice(@Nullable Path folder, @Nullable PskKeys keys, boolean required) {

    static final TlsChoice OFF = new TlsChoice(null, null, false);

    /**
     * Reads the certificates, and loads what does the work; null for no TLS. The caller closes it after the server.
     *
     * @throws IOException in one sentence, if these are not there or not in order
     */
    @Nullable
    NbdTls open() throws IOException {
        try {
            if (folder != null) {
                return NbdTls.of(new TlsFolder(folder), required);
            }
            return keys == null ? null : NbdTls.of(keys, required);
        } catch (IOException e) {
            throw new IOException((folder != null ? "--tls-certificates: " : "--tls-psk: ") + e.getMessage(), e);
        }
    }
}
