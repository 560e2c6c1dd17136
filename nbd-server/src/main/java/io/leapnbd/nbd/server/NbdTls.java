package io.leapnbd.nbd.server;

import io.leapnbd.nbd.tls.PskKeys;
import io.leapnbd.nbd.tls.TlsFolder;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandler;
import java.io.IOException;
import java.util.function.Consumer;

/** TLS for clients that ask for it ("NBD_OPT_STARTTLS"), with certificates on both sides or with shared keys. Any thread. */
public final class NbdTls implements AutoCloseable {

    /** How long an end may wait until the client has taken the message of it. */
    static final long CLOSE_NOTIFY_MILLIS = 1_000;

    private TlsMethod method;
    private final boolean required;

    private NbdTls(TlsMethod method, boolean required) {
        this.method = method;
        this.required = required;
    }

    /**
     * With the certificates of a folder, which are read now.
     *
     * @param required whether clients over TCP have to use it. Over a Unix socket nobody has to: it does not leave the machine
     * @throws IOException in one sentence, if the files are not there or not in order
     */
    public static NbdTls of(TlsFolder folder, boolean required) throws IOException {
        return new NbdTls(new CertificateTls(folder), required);
    }

    /**
     * With shared keys.
     *
     * @param required whether clients over TCP have to use it
     * @throws IOException in one sentence, if OpenSSL is not installed
     */
    public static NbdTls of(PskKeys keys, boolean required) throws IOException {
        return new NbdTls(new PskTls(keys), required);
    }

    boolean required() {
        return required;
    }

    /** For one connection, on its loop; see {@link TlsMethod#handler}. */
    synchronized ChannelHandler handler(ByteBufAllocator allocator, Consumer<String> established) {
        return method.handler(allocator, established);
    }

    /**
     * Uses what another one has from now on: its files were read later. Clients that are there go on, but those whose certificate is not believed any
     * more are cut off. Any thread.
     *
     * @param fresh of the same kind, and in no use; it is this one's from here on
     */
    public synchronized void follow(NbdTls fresh) {
        TlsMethod before = method;
        method = fresh.method;
        method.follow(before);
        before.retire();
    }

    /** To be called when the servers that use it are closed. */
    @Override
    public synchronized void close() {
        method.close();
    }
}
