package io.leapnbd.tools.cli;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A TCP address, as people write it: {@code host:port}, {@code 10.0.0.2:9400}, {@code [fe80::1]:9400}.
 *
 * @param host a name, an IPv4 address, or an IPv6 address without brackets
 * @param port 0 to 65535; 0 lets the kernel choose, where something listens
 */
public record HostPort(String host, int port) {

    private static final Pattern FORM =
            Pattern.compile("(\\[([0-9A-Fa-f:.]+(?:%\\w+)?)]|[^\\[\\]:/\\s]+)(?::(\\d{1,5}))?");
    private static final Pattern NUMBER = Pattern.compile("\\d{1,5}");

    /** Reads addresses to listen on for picocli; the port has to be there. */
    public static final class ListenConverter implements ITypeConverter<HostPort> {
        @Override
        public HostPort convert(String text) {
            return parseListen(text);
        }
    }

    /** Reads an address to listen on: a port is required and may be 0. */
    public static HostPort parseListen(String text) {
        String stripped = text.strip();
        if (NUMBER.matcher(stripped).matches()) {
            throw new TypeConversionException("'" + text + "' names no host; write 127.0.0.1:" + stripped
                    + " for this machine only, or 0.0.0.0:" + stripped + " for the whole network");
        }
        HostPort address = parse(text, -1);
        if (address.port < 0) {
            throw new TypeConversionException(
                    "'" + text + "' has no port; write it like " + address.bracketed() + ":PORT");
        }
        return address;
    }

    /**
     * Reads an address to connect to.
     *
     * @param defaultPort what a text without a port means
     * @throws TypeConversionException if it is none; the message says what would be one
     */
    public static HostPort parse(String text, int defaultPort) {
        String stripped = text.strip();
        Matcher form = FORM.matcher(stripped);
        if (!form.matches()) {
            if (stripped.chars().filter(c -> c == ':').count() > 1 && !stripped.contains("[")) {
                throw new TypeConversionException(
                        "'" + text + "' is ambiguous; write an IPv6 address in brackets, like [fe80::1]:9400");
            }
            throw new TypeConversionException(
                    "'" + text + "' is not an address; write it like host:9400 or [fe80::1]:9400");
        }
        String host = form.group(2) != null ? form.group(2) : form.group(1);
        int port = form.group(3) == null ? defaultPort : Integer.parseInt(form.group(3));
        if (port > 65535) {
            throw new TypeConversionException("port " + port + " of '" + text + "' is too high; ports end at 65535");
        }
        return new HostPort(host, port);
    }

    /**
     * What listens, for people: of an address that is every one of the machine's, as it was given, which the kernel may tell in another form.
     *
     * @param bound with the port that it really has
     */
    public HostPort bound(InetSocketAddress bound) {
        InetAddress address = bound.getAddress();
        return new HostPort(address.isAnyLocalAddress() ? host : address.getHostAddress(), bound.getPort());
    }

    /** Looks the host up, if it is a name. */
    public InetSocketAddress resolve() {
        return new InetSocketAddress(host, port);
    }

    /** Why it cannot be listened on, with the remedy. */
    public IOException refused(String option, IOException e) {
        String why = String.valueOf(e.getMessage());
        int reason = why.lastIndexOf(": ");
        return new IOException(
                option + ": " + this + " cannot be listened on (" + (reason < 0 ? why : why.substring(reason + 2))
                        + "); give another address, or stop who has it",
                e);
    }

    private String bracketed() {
        return host.indexOf(':') >= 0 ? "[" + host + "]" : host;
    }

    @Override
    public String toString() {
        return bracketed() + ":" + port;
    }
}
