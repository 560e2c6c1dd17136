package io.leapnbd.tools.http;

import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Objects;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the JDK's HTTP servers with limits to what strangers may take of a process. The JDK reads its limits when its first server is
 * opened, and has no other way to be told: who opens one elsewhere leaves this process without any.
 */
public final class LimitedHttpServers {

    private static final Logger log = LoggerFactory.getLogger(LimitedHttpServers.class);

    static final int REQUEST_SECONDS = 5;
    static final int ANSWER_SECONDS = 30;
    static final int CONNECTIONS = 32;

    /** Of a request's line and headers, in bytes: each connection may have as many in the heap before anybody is asked who he is. */
    static final int HEADERS = 16 << 10;

    private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};

    static {
        setUnlessSet("sun.net.httpserver.maxReqTime", REQUEST_SECONDS);
        setUnlessSet("sun.net.httpserver.maxRspTime", ANSWER_SECONDS);
        setUnlessSet("jdk.httpserver.maxConnections", CONNECTIONS);
        setUnlessSet("sun.net.httpserver.maxReqHeaderSize", HEADERS);
        // A handshake is a hundred times as expensive here as for who asks for another one, which TLS 1.2 lets
        // strangers do.
        setUnlessSet("jdk.tls.rejectClientInitiatedRenegotiation", true);
    }

    private LimitedHttpServers() {}

    private static void setUnlessSet(String property, Object value) {
        if (System.getProperty(property) == null) {
            String _ = System.setProperty(property, value.toString());
        }
    }

    /**
     * Opens a server without TLS. It is bound, and not started.
     *
     * @throws IOException if the address cannot be listened on
     */
    public static HttpServer open(InetSocketAddress address) throws IOException {
        return HttpServer.create(address, 0);
    }

    /** As {@link #open(InetSocketAddress)}, with TLS where the access asks for it. */
    static HttpServer open(InetSocketAddress address, EndpointAccess access) throws IOException {
        if (!access.speaksTls()) {
            return open(address);
        }
        SSLContext tls = new FreshContext(() -> Objects.requireNonNull(access.identity())
                .context((client, why) -> log.info("HTTPS: refused {}: {}", client, why)));
        HttpsServer server = HttpsServer.create(address, 0);
        boolean certificates = access.asksForCertificates();
        server.setHttpsConfigurator(new HttpsConfigurator(tls) {
            @Override
            public void configure(HttpsParameters parameters) {
                SSLParameters wanted = tls.getDefaultSSLParameters();
                wanted.setProtocols(PROTOCOLS);
                wanted.setNeedClientAuth(certificates);
                parameters.setSSLParameters(wanted);
            }
        });
        return server;
    }
}
