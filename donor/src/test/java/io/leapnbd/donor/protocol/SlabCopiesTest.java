package io.leapnbd.donor.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class SlabCopiesTest {

    private static final SlabName A = new SlabName(new UUID(1, 2), 3, 4);
    private static final SlabName B = new SlabName(new UUID(-3, 4), Integer.MAX_VALUE, Long.MAX_VALUE);
    private static final SlabName C = new SlabName(new UUID(1, -5), 1, 1);
    private static final SlabName D = new SlabName(new UUID(9, 9), 1, 1);

    @Test
    void namesHaveNoOrder() {
        SlabCopies copies = SlabCopies.live(List.of(A, B, C));
        assertThat(copies)
                .isEqualTo(SlabCopies.live(List.of(C, B, A)))
                .hasSameHashCodeAs(SlabCopies.live(List.of(C, A, B)));
        assertThat(copies)
                .isNotEqualTo(SlabCopies.live(List.of(A, B)))
                .isNotEqualTo(SlabCopies.filling(List.of(A, B, C)));
        assertThat(copies.names()).containsExactlyInAnyOrder(A, B, C);
    }

    /** Hole 2 of placements: another slab of the same process is not the one that is named. */
    @Test
    void aNameIsOneSlab() {
        SlabCopies copies = SlabCopies.live(List.of(A, B, C));
        assertThat(copies.names(B)).isTrue();
        assertThat(copies.names(D)).isFalse();
        SlabName otherHandle = new SlabName(A.incarnation(), 5, A.grantVersion());
        SlabName otherGrant = new SlabName(A.incarnation(), A.handle(), 5);
        assertThat(copies.names(otherHandle)).isFalse();
        assertThat(copies.names(otherGrant)).isFalse();
        assertThat(copies).isNotEqualTo(SlabCopies.live(List.of(otherHandle, B, C)));
        assertThat(copies).isNotEqualTo(SlabCopies.live(List.of(otherGrant, B, C)));
        assertThat(copies.names(A.incarnation(), A.handle())).isTrue();
        assertThat(copies.names(A.incarnation(), 5)).isFalse();
    }

    @Test
    void whatIsWrittenIsRead() throws ProtocolException {
        for (SlabCopies copies : List.of(
                SlabCopies.live(List.of(A)), SlabCopies.filling(List.of(A, B)), SlabCopies.live(List.of(A, B, C, D)))) {
            ByteBuf body = Unpooled.buffer();
            copies.encode(body);
            assertThat(body.readableBytes()).isEqualTo(copies.encodedLength());
            assertThat(SlabCopies.isPlaceLength(body.readableBytes())).isTrue();
            assertThat(SlabCopies.decodePlace(body)).isEqualTo(copies);
        }
    }

    @Test
    void aPlacementHasOneToFourNames() {
        for (int bytes = -1; bytes < 200; bytes++) {
            assertThat(SlabCopies.isPlaceLength(bytes))
                    .isEqualTo(List.of(34, 66, 98, 130).contains(bytes));
        }
        ByteBuf alone = Unpooled.buffer();
        SlabCopies.ALONE.encode(alone);
        assertThatThrownBy(() -> SlabCopies.decodePlace(alone)).isInstanceOf(ProtocolException.class);
    }

    @Test
    void namesThatAreNoneAreRefusedWhenTheyAreGiven() {
        assertThatThrownBy(() -> SlabCopies.live(List.of())).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> SlabCopies.live(List.of(A, B, C, D, new SlabName(new UUID(9, 8), 1, 1))))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> SlabCopies.live(List.of(A, A))).isInstanceOf(IllegalArgumentException.class);
        SlabName another = new SlabName(A.incarnation(), 7, 8);
        assertThatThrownBy(() -> SlabCopies.filling(List.of(A, another))).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new SlabName(HelloReply.NONE, 1, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new SlabName(A.incarnation(), 0, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new SlabName(A.incarnation(), 1, 0)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aLiveSlabThatNamesItselfOnlyIsAlone() {
        assertThat(SlabCopies.live(List.of(A)).at(A)).isSameAs(SlabCopies.ALONE);
        assertThat(SlabCopies.live(List.of(B)).at(A)).isEqualTo(SlabCopies.live(List.of(B)));
        assertThat(SlabCopies.filling(List.of(A)).at(A)).isEqualTo(SlabCopies.filling(List.of(A)));
        SlabName older = new SlabName(A.incarnation(), A.handle(), 3);
        assertThat(SlabCopies.live(List.of(older)).at(A)).isEqualTo(SlabCopies.live(List.of(older)));
    }
}
