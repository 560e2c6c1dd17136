package io.leapnbd.tools.config;

/**
 * Where a setting comes from.
 *
 * @param kind which of the places
 * @param place for people: {@code /etc/leap-nbd/leap-nbd.toml:12}, {@code LEAP_NBD_SERVE_SIZE}
 * @param name what it is called there: {@code [serve.swap] size}
 */
public record Origin(Kind kind, String place, String name) {

    /** The places, the one that counts first. */
    public enum Kind {
        /** An option on the command line. */
        FLAG,
        /** A variable of the environment. */
        ENVIRONMENT,
        /** The configuration file. */
        FILE,
        /** What an instance has by its name. */
        INSTANCE,
        /** What the command has by itself. */
        DEFAULT
    }
}
