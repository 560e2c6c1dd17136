package io.leapnbd.tools.serve;

import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.pool.LinkSecurity;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a server is started with, each checked on its own.
 *
 * @param donors empty for one in the process
 * @param size bytes
 * @param export its name
 * @param tcp where to accept NBD clients over TCP
 * @param unix where to accept them over Unix sockets, and whom
 * @param tls whether these clients may or must use it
 * @param links whom it talks to at the other end of links to donors
 * @param http where the endpoint listens; null for none
 * @param copies how many there are of each page
 * @param ioTimeout how long a request may take
 * @param loops event loops
 * @param stateDir folder of the state file
 * @param takeover what the start may do
 * @param histogramLog the interval log; null for none
 * @param histogramInterval of the log
 * @param prefetch what is fetched ahead, and the cache
 * @param record where to record what clients do; null for nowhere
 * @param fileLimit bytes after which the log and the recording are moved aside
 * @param path of a request to the donors
 * @param unprotected what protection of the process could not be had, a sentence each
 */
public record ServerSettings(
        List<DonorAddress> donors,
        long size,
        String export,
        List<HostPort> tcp,
        UnixSockets unix,
        TlsChoice tls,
        LinkSecurity links,
        @Nullable EndpointAddress http,
        CopiesChoice copies,
        Duration ioTimeout,
        LoopSettings loops,
        Path stateDir,
        TakeoverChoice takeover,
        @Nullable Path histogramLog,
        Duration histogramInterval,
        PrefetchSettings prefetch,
        @Nullable Path record,
        long fileLimit,
        DataPath path,
        List<String> unprotected) {

    /** Of a file that is written as long as the server runs. */
    static final long DEFAULT_FILE_LIMIT = 1L << 30;

    /** Most bytes of a file name before its ending: file systems allow 255, and two files beside it have longer endings. */
    private static final int LONGEST_NAME = 200;

    /** These, with what protection could not be had. */
    ServerSettings withUnprotected(List<String> lacks) {
        return with(donors, lacks);
    }

    /** These, with other donors. */
    ServerSettings withDonors(List<DonorAddress> others) {
        return with(others, unprotected);
    }

    private ServerSettings with(List<DonorAddress> others, List<String> lacks) {
        return new ServerSettings(
                others,
                size,
                export,
                tcp,
                unix,
                tls,
                links,
                http,
                copies,
                ioTimeout,
                loops,
                stateDir,
                takeover,
                histogramLog,
                histogramInterval,
                prefetch,
                record,
                fileLimit,
                path,
                lacks);
    }

    /** Whether somebody beyond this machine who has shown nothing could read or change pages: at a donor, on the way there, or as a client. */
    boolean isInsecure() {
        return links.exposes(donors) || tls.objection(tcp) != null;
    }

    /**
     * Where the export's state is kept; a name is made a file name, distinct names distinct ones. A long one is cut, and has its digest
     * instead of the rest.
     */
    Path stateFile() {
        String name = fileName();
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > LONGEST_NAME) {
            int end = name.length();
            while (name.substring(0, end).getBytes(StandardCharsets.UTF_8).length > LONGEST_NAME - 33) {
                end = name.offsetByCodePoints(end, -1);
            }
            UUID digest = UUID.nameUUIDFromBytes(export.getBytes(StandardCharsets.UTF_8));
            // No name that is not cut has a '%' there without a number and a dot behind it.
            name = name.substring(0, end) + "%" + digest.toString().replace("-", "");
        }
        return stateDir.resolve(name + ".state");
    }

    private String fileName() {
        StringBuilder name = new StringBuilder();
        export.codePoints().forEach(c -> {
            if (Character.isLetterOrDigit(c) || c == '-' || c == '_') {
                name.appendCodePoint(c);
            } else {
                name.append('%').append(Integer.toHexString(c)).append('.');
            }
        });
        return name.toString();
    }
}
