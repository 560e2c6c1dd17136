package io.leapnbd.tools.serve;

import io.leapnbd.nbd.server.NbdTls;
import io.leapnbd.nbd.tls.CertificateNames;
import io.leapnbd.nbd.tls.PskFile;
import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.config.Reload;
import io.leapnbd.tools.http.ShownCertificate;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether clients may or must use TLS, and what they are known by: certificates, keys, or, without TLS, nothing.
 *
 * @param folder of certificates; null for none
 * @param keys file of those that clients share; null for none
 * @param required whether clients over TCP have to use TLS
 */
record TlsChoice(@Nullable Path folder, @Nullable PskFile keys, boolean required) {

    static final TlsChoice OFF = new TlsChoice(null, null, false);

    /** Why clients may not be accepted at these addresses, in words that follow "--listen:"; null if they may. */
    @Nullable
    String objection(List<HostPort> addresses) {
        for (HostPort address : addresses) {
            InetSocketAddress at = address.resolve();
            // A host that is not known is complained of when it is listened on.
            if (required || at.isUnresolved() || at.getAddress().isLoopbackAddress()) {
                continue;
            }
            return "whoever reaches " + address + " could read and write the device; "
                    + (folder == null && keys == null
                            ? "say --tls require with --tls-certificates FOLDER or --tls-psk FILE, or serve at a --unix socket, or say --insecure"
                            : "say --tls require, or say --insecure");
        }
        return null;
    }

    /**
     * Of addresses that clients may be refused by at their own end, since the certificate does not name them: a sentence each, which begins with the address. None if
     * the certificate cannot be read, which is complained of elsewhere.
     */
    List<String> unnamed(List<HostPort> addresses) {
        List<String> all = new ArrayList<>();
        if (folder != null) {
            try {
                CertificateNames names = CertificateNames.of(
                        new TlsFolder(folder).credentials("server").chain().getFirst());
                for (HostPort address : addresses) {
                    String why = names.objection(address.host());
                    if (why != null) {
                        all.add(address + ": " + why);
                    }
                }
            } catch (IOException e) {
                return List.of();
            }
        }
        return all;
    }

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
            return keys == null ? null : NbdTls.of(keys.read(), required);
        } catch (IOException e) {
            throw new IOException((folder != null ? "--tls-certificates: " : "--tls-psk: ") + e.getMessage(), e);
        }
    }

    /**
     * Reads the files again.
     *
     * @param present what is in use
     * @throws IOException in one sentence; then nothing has changed
     */
    Reload.Use reread(NbdTls present) throws IOException {
        NbdTls fresh = open();
        if (fresh == null) {
            throw new IOException("there is no TLS");
        }
        String read = folder == null
                ? "keys of --tls-psk"
                : "certificates of --tls-certificates (" + ShownCertificate.ofServerIn(folder) + ")";
        return new Reload.Use() {
            @Override
            public String use() {
                present.follow(fresh);
                return read;
            }

            @Override
            public void discard() {
                fresh.close();
            }
        };
    }
}
