package io.leapnbd.tools.registry;

import org.jspecify.annotations.Nullable;

/** News of a pool's donors, from a thread of their own. Any thread may ask. */
public interface DonorNews extends AutoCloseable {

    /**
     * Listens to a registry from now on.
     *
     * @throws IllegalArgumentException of a list, which has no news
     */
    static DonorNews open(DonorSource source, RegistryAccess access) {
        return switch (source) {
            case DonorSource.Etcd etcd -> new EtcdNews(etcd, access);
            case DonorSource.Dns dns -> new DnsNews(dns);
            case DonorSource.Named _ -> throw new IllegalArgumentException("a list of donors has no news");
        };
    }

    /** The newest that was heard, which stays when nothing is heard any more; null before the first. */
    @Nullable
    DonorListing newest();

    /**
     * Waits for another one than {@code known}.
     *
     * @param nanos how long at most
     * @return the newest, which may be {@code known}
     */
    @Nullable
    DonorListing await(@Nullable DonorListing known, long nanos) throws InterruptedException;

    /** Why nothing is heard at the moment, in words that follow the name; null if all is well. */
    @Nullable
    String complaint();

    /** Hears nothing more. */
    @Override
    void close();
}
