package io.leapnbd.tools.http;

import java.security.KeyManagementException;
import java.security.SecureRandom;
import java.util.function.Supplier;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLContextSpi;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocketFactory;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * A TLS context of which each connection has one of its own. Sessions and the keys of tickets are a context's, so no connection goes on with another one's
 * session, and each shows its certificate. The JDK has no switch for that, and its HTTP server takes one context for good. Any thread.
 */
final class FreshContext extends SSLContext {

    /**
     * For engines alone.
     *
     * @param contexts makes one, without any session, with what is in use then
     */
    FreshContext(Supplier<SSLContext> contexts) {
        this(contexts, contexts.get());
    }

    private FreshContext(Supplier<SSLContext> contexts, SSLContext first) {
        super(new Engines(contexts), first.getProvider(), first.getProtocol());
    }

    private static final class Engines extends SSLContextSpi {

        private final Supplier<SSLContext> contexts;

        Engines(Supplier<SSLContext> contexts) {
            this.contexts = contexts;
        }

        @Override
        protected SSLEngine engineCreateSSLEngine() {
            return contexts.get().createSSLEngine();
        }

        @Override
        protected SSLEngine engineCreateSSLEngine(String host, int port) {
            return contexts.get().createSSLEngine(host, port);
        }

        @Override
        protected SSLParameters engineGetDefaultSSLParameters() {
            return contexts.get().getDefaultSSLParameters();
        }

        @Override
        protected SSLParameters engineGetSupportedSSLParameters() {
            return contexts.get().getSupportedSSLParameters();
        }

        @Override
        protected SSLSessionContext engineGetServerSessionContext() {
            return contexts.get().getServerSessionContext();
        }

        @Override
        protected SSLSessionContext engineGetClientSessionContext() {
            return contexts.get().getClientSessionContext();
        }

        @Override
        protected void engineInit(
                KeyManager @Nullable [] keys, TrustManager @Nullable [] trust, @Nullable SecureRandom random)
                throws KeyManagementException {
            throw new KeyManagementException("it has its keys");
        }

        @Override
        protected SSLSocketFactory engineGetSocketFactory() {
            throw new UnsupportedOperationException("for engines alone");
        }

        @Override
        protected SSLServerSocketFactory engineGetServerSocketFactory() {
            throw new UnsupportedOperationException("for engines alone");
        }
    }
}
