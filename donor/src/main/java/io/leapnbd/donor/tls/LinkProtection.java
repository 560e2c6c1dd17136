package io.leapnbd.donor.tls;

import java.util.Locale;

/** How frames of a link over TCP go on when both ends have shown their certificates. A server says which; a donor says what it takes. */
public enum LinkProtection {
    /** In records of TLS. A donor takes nothing else. */
    TLS,
    /** In clear, with a tag for all that is no page data ({@code docs/link-auth.md}). A donor takes that and TLS. */
    AUTH;

    /** As options have it. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
