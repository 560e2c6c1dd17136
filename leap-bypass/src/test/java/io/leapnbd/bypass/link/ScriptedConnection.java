package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.RequestHeader;
import io.netty.buffer.ByteBuf;
import java.util.List;

/** One connection to a {@link ScriptedDonor}, seen from the donor. */
interface ScriptedConnection {

    /** What has arrived, hellos included: copies. */
    List<ByteBuf> sent();

    /** Whether the link has ended it. */
    boolean closed();

    /** It breaks. */
    void breaks();

    /** Likewise, as a network breaks it: not in good order. */
    default void isReset() {
        breaks();
    }

    /** Everything that was held back is answered. */
    void answerAll();

    /** A reply comes that the donor did not think of. */
    void arrives(ByteBuf reply);

    /** Operations of what has arrived, without the first, which is a hello. */
    default List<Byte> operations() {
        return sent().stream()
                .skip(1)
                .map(message -> RequestHeader.operation(message, 0))
                .toList();
    }
}
