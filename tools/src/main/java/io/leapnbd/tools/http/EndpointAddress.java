package io.leapnbd.tools.http;

import io.leapnbd.tools.cli.HostPort;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.TypeConversionException;

/**
 * Where an HTTP endpoint is to listen.
 *
 * @param address host and port
 * @param demanded whether somebody asked for this address; if not, another free port does as well, since a second process of the same
 *     kind must not fail for the sake of a page that is only looked at
 */
public record EndpointAddress(HostPort address, boolean demanded) {

    /** This address or none. */
    public static EndpointAddress exactly(HostPort address) {
        return new EndpointAddress(address, true);
    }

    /**
     * What an option says.
     *
     * @param option its text; null if it was not given
     * @param usual the address that is preferred then
     * @return null for {@code none}
     * @throws TypeConversionException if the text is no address
     */
    public static @Nullable EndpointAddress parse(@Nullable String option, String usual) {
        if (option == null) {
            return new EndpointAddress(HostPort.parseListen(usual), false);
        }
        return option.equals("none") ? null : exactly(HostPort.parseListen(option));
    }

    /** The same host with a port that the kernel chooses. */
    HostPort anyPort() {
        return new HostPort(address.host(), 0);
    }
}
