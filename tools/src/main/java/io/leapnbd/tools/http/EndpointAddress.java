package io.leapnbd.tools.http;

import io.leapnbd.tools.cli.HostPort;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.TypeConversionException;

/**
 * Where an HTTP endpoint is to listen, and for whom.
 *
 * @param address host and port
 * @param demanded whether somebody asked for this address; if not, another free port does as well, since a second process of the same
 *     kind must not fail for the sake of a page that is only looked at
 * @param access what it asks of who comes
 */
public record EndpointAddress(HostPort address, boolean demanded, EndpointAccess access) {

    /** This address or none, with nothing asked. */
    public static EndpointAddress exactly(HostPort address) {
        return new EndpointAddress(address, true, EndpointAccess.OPEN);
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
            return new EndpointAddress(HostPort.parseListen(usual), false, EndpointAccess.OPEN);
        }
        return option.equals("none") ? null : exactly(HostPort.parseListen(option));
    }

    /** The same address for others. */
    public EndpointAddress with(EndpointAccess other) {
        return new EndpointAddress(address, demanded, other);
    }

    /** Why it is not to be opened: other machines reach it, and it asks nobody anything; null if it may be. A host that is not known may. */
    public @Nullable String objection() {
        InetSocketAddress at = address.resolve();
        return at.isUnresolved() ? null : access.objection(address, at.getAddress());
    }

    /** The same host with a port that the kernel chooses. */
    EndpointAddress anyPort() {
        return new EndpointAddress(new HostPort(address.host(), 0), demanded, access);
    }
}
