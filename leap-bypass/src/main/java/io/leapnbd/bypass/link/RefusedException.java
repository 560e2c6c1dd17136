package io.leapnbd.bypass.link;

import java.io.IOException;

/** A donor answers, and does not serve this server before an operator has changed something: to wait is of no use. */
public final class RefusedException extends IOException {

    private static final long serialVersionUID = 1;

    /** Whether the export is somebody else's. */
    private final boolean owned;

    /** In words that follow the donor's name. */
    public RefusedException(String message) {
        super(message);
        owned = false;
    }

    /** Likewise. */
    public RefusedException(String message, Throwable cause) {
        super(message, cause);
        owned = cause instanceof RefusedException its && its.owned;
    }

    private RefusedException(String message, boolean owned) {
        super(message);
        this.owned = owned;
    }

    /** Because the export belongs to another server there. */
    public static RefusedException ownedByAnother(String message) {
        return new RefusedException(message, true);
    }

    /** Whether the export belongs to another server there: whatever other donors say, it is not to be begun by this one. */
    public boolean isOwned() {
        return owned;
    }
}
