package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.takeover.Verdict.Refused;
import java.io.Serial;

/** Carries a refusal out of the middle of {@link TakeoverCheck}. */
final class Refusal extends Exception {

    @Serial
    private static final long serialVersionUID = 1L;

    private final transient Refused refused;

    Refusal(Refused refused) {
        super(refused.sentence(), null, false, false);
        this.refused = refused;
    }

    Refused refused() {
        return refused;
    }
}
