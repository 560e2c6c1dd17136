package io.leapnbd.tools.serve;

import io.leapnbd.nbd.server.UnixAccess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** The options of {@code serve} about Unix sockets. */
final class UnixOptions {

    private static final int MAX_SOCKET_PATH = 107;
    private static final Pattern MODE = Pattern.compile("0?[0-7]{3}");

    /** Rights by their bits, those of the others first. */
    private static final PosixFilePermission[] RIGHTS = {
        PosixFilePermission.OTHERS_EXECUTE, PosixFilePermission.OTHERS_WRITE, PosixFilePermission.OTHERS_READ,
        PosixFilePermission.GROUP_EXECUTE, PosixFilePermission.GROUP_WRITE, PosixFilePermission.GROUP_READ,
        PosixFilePermission.OWNER_EXECUTE, PosixFilePermission.OWNER_WRITE, PosixFilePermission.OWNER_READ
    };

    private static final int OWNER = 0600;
    private static final int READ_AND_WRITE = 0666;

    @Option(
            names = "--unix",
            paramLabel = "PATH",
            description = "Accept clients over a Unix socket, which is how this machine's own swap should come; may be"
                    + " repeated.")
    private List<Path> unix = List.of();

    @Option(
            names = "--unix-mode",
            paramLabel = "MODE",
            description =
                    "Mode of these sockets, which says who may connect: 0600 for this user alone, 0660 for a group too,"
                            + " 0666 for everybody here. Default: 0600, or 0660 with --unix-group.")
    private @Nullable String mode;

    @Option(
            names = "--unix-group",
            paramLabel = "NAME",
            description = "Group of these sockets. Default: this user's own.")
    private @Nullable String group;

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    UnixOptions() {}

    /**
     * The sockets.
     *
     * @param usual of a server that needs one, if none is named; else null
     */
    UnixSockets sockets(@Nullable Path usual) {
        List<Path> paths = unix.isEmpty() && usual != null ? List.of(usual) : unix;
        for (Path path : paths) {
            int length = path.toString().getBytes(StandardCharsets.UTF_8).length;
            require(
                    length <= MAX_SOCKET_PATH,
                    "--unix: a socket's path has at most " + MAX_SOCKET_PATH + " bytes; this one has " + length);
        }
        require(
                !paths.isEmpty() || (mode == null && group == null),
                (mode != null ? "--unix-mode" : "--unix-group") + ": there is no Unix socket; name one with --unix");
        String text = mode == null ? group == null ? "0600" : "0660" : mode;
        require(MODE.matcher(text).matches(), "--unix-mode: '" + text + "' is no mode; write it like 0660");
        int bits = Integer.parseInt(text, 8);
        require(
                (bits & OWNER) == OWNER && (bits & ~READ_AND_WRITE) == 0,
                "--unix-mode: " + text + " is none of a socket that its user can use; give 0600, 0660 or 0666");
        Set<PosixFilePermission> rights = EnumSet.noneOf(PosixFilePermission.class);
        for (int bit = 0; bit < RIGHTS.length; bit++) {
            if ((bits >> bit & 1) != 0) {
                rights.add(RIGHTS[bit]);
            }
        }
        return new UnixSockets(paths, new UnixAccess(rights, principal()));
    }

    private @Nullable GroupPrincipal principal() {
        if (group == null) {
            return null;
        }
        try {
            return FileSystems.getDefault().getUserPrincipalLookupService().lookupPrincipalByGroupName(group);
        } catch (IOException e) {
            throw new ParameterException(
                    command.commandLine(),
                    "--unix-group: there is no group '" + group + "' on this machine; 'getent group' lists them",
                    e);
        }
    }

    private void require(boolean right, String message) {
        if (!right) {
            throw new ParameterException(command.commandLine(), message);
        }
    }
}
