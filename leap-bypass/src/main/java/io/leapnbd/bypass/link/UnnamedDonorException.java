package io.leapnbd.bypass.link;

import java.io.IOException;

/** A start is refused, as a donor that may hold pages is not among those that were named. */
public final class UnnamedDonorException extends IOException {

    private static final long serialVersionUID = 1;

    private final String address;

    /**
     * One sentence for people.
     *
     * @param address of that donor, as another server named it
     */
    public UnnamedDonorException(String message, String address) {
        super(message);
        this.address = address;
    }

    /** Of that donor, as {@link DonorAddress#toString}. */
    public String address() {
        return address;
    }
}
