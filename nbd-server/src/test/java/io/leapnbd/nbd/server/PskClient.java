package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Negotiation.*;
import static io.leapnbd.nbd.protocol.Transmission.REQUEST_MAGIC;
import static io.leapnbd.nbd.protocol.Transmission.SIMPLE_REPLY_MAGIC;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.TestServer;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Vector;
import org.bouncycastle.tls.BasicTlsPSKExternal;
import org.bouncycastle.tls.BasicTlsPSKIdentity;
import org.bouncycastle.tls.CipherSuite;
import org.bouncycastle.tls.PRFAlgorithm;
import org.bouncycastle.tls.PSKTlsClient;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.TlsClientProtocol;
import org.bouncycastle.tls.crypto.TlsCrypto;
import org.bouncycastle.tls.crypto.impl.bc.BcTlsCrypto;

/** An NBD client with a shared key, by another library than the server's. It blocks. */
final class PskClient implements AutoCloseable {

    private final Socket socket;
    private final Protocol tls;
    final DataInputStream in;
    final OutputStream out;

    /** What is offered; the key is in hexadecimal digits. */
    record Offer(ProtocolVersion version, int cipher, String name, String key) {

        static Offer tls13(String name, String key) {
            return new Offer(ProtocolVersion.TLSv13, CipherSuite.TLS_AES_128_GCM_SHA256, name, key);
        }

        static Offer tls12(int cipher, String name, String key) {
            return new Offer(ProtocolVersion.TLSv12, cipher, name, key);
        }

        boolean is13() {
            return version.equals(ProtocolVersion.TLSv13);
        }

        byte[] identity() {
            return name.getBytes(StandardCharsets.UTF_8);
        }

        byte[] secret() {
            return HexFormat.of().parseHex(key);
        }
    }

    private PskClient(Socket socket, Protocol tls) {
        this.socket = socket;
        this.tls = tls;
        in = new DataInputStream(tls.getInputStream());
        out = tls.getOutputStream();
    }

    /** A socket whose STARTTLS was acknowledged; what follows is to be TLS. */
    static Socket startTls(NbdUri uri) throws IOException {
        Socket socket = new Socket();
        socket.setReceiveBufferSize(64 << 10);
        socket.connect((InetSocketAddress) uri.address());
        socket.setTcpNoDelay(true);
        socket.setSoTimeout((int) TestServer.PATIENCE.toMillis());
        DataInputStream in = new DataInputStream(socket.getInputStream());
        in.readNBytes(GREETING_SIZE);
        socket.getOutputStream().write(new byte[] {0, 0, 0, FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES});
        socket.getOutputStream().write(RawClient.optionBytes(OPT_STARTTLS));
        if (in.readLong() != OPTION_REPLY_MAGIC || in.readInt() != OPT_STARTTLS || in.readInt() != REP_ACK) {
            throw new IOException("STARTTLS is refused");
        }
        in.readInt();
        return socket;
    }

    /** Shakes hands; no export is open yet. */
    static PskClient secure(NbdUri uri, Offer offer) throws IOException {
        Socket socket = startTls(uri);
        try {
            Protocol tls = new Protocol(socket);
            tls.connect(new Keys(new BcTlsCrypto(new SecureRandom()), offer));
            return new PskClient(socket, tls);
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    /** Opens the export {@code test}. */
    static PskClient connect(NbdUri uri, Offer offer) throws IOException {
        PskClient client = secure(uri, offer);
        client.out.write(RawClient.optionBytes(OPT_GO, RawClient.goData("test")));
        int type;
        do {
            client.in.readLong();
            client.in.readInt();
            type = client.in.readInt();
            client.in.readNBytes(client.in.readInt());
        } while (type == REP_INFO);
        if (type != REP_ACK) {
            throw new IOException("the export is refused");
        }
        return client;
    }

    void write(long offset, byte[] data) throws IOException {
        request(Command.WRITE, 1, offset, data.length);
        out.write(data);
        reply(1);
    }

    byte[] read(long offset, int length) throws IOException {
        request(Command.READ, 2, offset, length);
        reply(2);
        return in.readNBytes(length);
    }

    void request(Command command, long cookie, long offset, int length) throws IOException {
        out.write(RawClient.requestBytes(REQUEST_MAGIC, command.code(), 0, cookie, offset, length));
    }

    private void reply(long cookie) throws IOException {
        if (in.readInt() != SIMPLE_REPLY_MAGIC || in.readInt() != 0 || in.readLong() != cookie) {
            throw new IOException("a reply is wrong");
        }
    }

    /** Ends TLS, and then the connection. */
    @Override
    public void close() throws IOException {
        if (!socket.isClosed()) {
            tls.close();
            socket.close();
        }
    }

    /** Changes its key, and asks the server to do so too. */
    void updateKey() throws IOException {
        tls.update();
    }

    /** Sends bytes beside TLS. */
    void raw(byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
    }

    /** Ends the connection as a killed process does. */
    void cut() throws IOException {
        if (!socket.isClosed()) {
            socket.setSoLinger(true, 0);
            socket.close();
        }
    }

    private static final class Protocol extends TlsClientProtocol {

        Protocol(Socket socket) throws IOException {
            super(socket.getInputStream(), socket.getOutputStream());
        }

        void update() throws IOException {
            send13KeyUpdate(true);
        }
    }

    private static final class Keys extends PSKTlsClient {

        private final Offer offer;

        Keys(TlsCrypto crypto, Offer offer) {
            super(crypto, new BasicTlsPSKIdentity(offer.identity(), offer.secret()));
            this.offer = offer;
        }

        @Override
        protected ProtocolVersion[] getSupportedVersions() {
            return offer.version().only();
        }

        @Override
        protected int[] getSupportedCipherSuites() {
            return new int[] {offer.cipher()};
        }

        @Override
        public Vector<?> getExternalPSKs() {
            Vector<Object> keys = new Vector<>();
            if (offer.is13()) {
                keys.add(new BasicTlsPSKExternal(
                        offer.identity(), getCrypto().createSecret(offer.secret()), PRFAlgorithm.tls13_hkdf_sha256));
            }
            return keys;
        }
    }
}
