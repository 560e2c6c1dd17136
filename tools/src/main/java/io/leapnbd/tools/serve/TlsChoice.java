package io.leapnbd.tools.serve;

import io.leapnbd.nbd.server.NbdTls;
import io.leapnbd.nbd.tls.TlsFolder;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Whether clients may or must use TLS.
 *
 * @param folder of certificates; null for no TLS
 * @param required whether clients over TCP have to use it
 */
record TlsChoice(@Nullable Path folder, boolean required) {

    static final TlsChoice OFF = new TlsChoice(null, false);

    /**
     * Reads the certificates; null for no TLS. The caller closes it after the server.
     *
     * @throws IOException in one sentence, if they are not there or not in order
     */
    @Nullable
    NbdTls open() throws IOException {
        if (folder == null) {
            return null;
        }
        try {
            return NbdTls.of(new TlsFolder(folder), required);
        } catch (IOException e) {
            throw new IOException("--tls-certificates: " + e.getMessage(), e);
        }
    }
}
