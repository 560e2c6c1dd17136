package io.leapnbd.nbd.tls;

import java.security.cert.CertificateException;

/** A server's certificate that is believed, and is for other hosts than the one that was asked for. */
public final class OtherHostException extends CertificateException {

    private static final long serialVersionUID = 1;

    private final transient CertificateNames names;

    OtherHostException(CertificateNames names, CertificateException cause) {
        super("is for " + names, cause);
        this.names = names;
    }

    /** The hosts that it is for. */
    public CertificateNames names() {
        return names;
    }
}
