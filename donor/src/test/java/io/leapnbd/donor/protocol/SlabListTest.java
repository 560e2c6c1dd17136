package io.leapnbd.donor.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SlabListTest {

    private static final SlabName A = new SlabName(new UUID(1, 2), 70, 600);
    private static final SlabName B = new SlabName(new UUID(-3, 4), 5, 601);

    private static ByteBuf encoded(SlabList list) {
        ByteBuf body = Unpooled.buffer();
        list.encode(body);
        assertThat(body.readableBytes()).isEqualTo(list.encodedLength());
        return body;
    }

    private static SlabList one(SlabCopies copies) {
        SlabList list = new SlabList();
        list.add(7, 70, copies.count() == 0 ? 700 : 600, 700, true, copies);
        return list;
    }

    @Test
    void whatIsToldOfSlabsComesBackFromTheWire() throws ProtocolException {
        SlabList list = new SlabList();
        list.add(0, 10, 100, 100, false, SlabCopies.ALONE);
        list.add(3, 13, 1, Long.MAX_VALUE, true, SlabCopies.live(List.of(A, B)));
        list.add(4, 14, 104, 104, true, SlabCopies.FILLING);
        for (int index = 5; index < 40; index++) {
            list.add(index, index, index, index, false, SlabCopies.ALONE);
        }
        list.add(Integer.MAX_VALUE, 19, 108, 109, true, SlabCopies.filling(List.of(B)));
        list.more(true);

        SlabList read = SlabList.decode(encoded(list));
        assertThat(read.size()).isEqualTo(list.size());
        assertThat(read.more()).isTrue();
        for (int i = 0; i < list.size(); i++) {
            assertThat(read.index(i)).isEqualTo(list.index(i));
            assertThat(read.handle(i)).isEqualTo(list.handle(i));
            assertThat(read.grantVersion(i)).isEqualTo(list.grantVersion(i));
            assertThat(read.generation(i)).isEqualTo(list.generation(i));
            assertThat(read.touched(i)).isEqualTo(list.touched(i));
            assertThat(read.copies(i)).isEqualTo(list.copies(i));
        }
        assertThat(read.grantVersion(1)).isEqualTo(1);
        assertThat(read.grantVersion(2)).isEqualTo(104);
        assertThat(read.copies(1).names()).containsExactlyInAnyOrder(A, B);
        assertThat(read.copies(2).filling()).isTrue();
    }

    @Test
    void aSlabThatWasNeverPlacedTakesTwentyBytes() {
        assertThat(encoded(one(SlabCopies.ALONE)).readableBytes()).isEqualTo(28);
        assertThat(encoded(one(SlabCopies.live(List.of(A, B)))).readableBytes()).isEqualTo(28 + 2 * 32 + 8);
    }

    static Stream<Arguments> broken() {
        int state = SlabList.FIXED_LENGTH + 18;
        int count = state + 1;
        int names = count + 1;
        int grant = names + 2 * SlabName.LENGTH;
        int generation = SlabList.FIXED_LENGTH + 8;
        return Stream.of(
                Arguments.of("nothing", Unpooled.buffer()),
                Arguments.of("an unknown state", both().setByte(state, 2)),
                Arguments.of("more names than there may be", both().setByte(count, 5)),
                Arguments.of("more names than there are", both().setByte(count, 4)),
                Arguments.of("fewer names than there are", both().setByte(count, 1)),
                Arguments.of("a negative number of names", both().setByte(count, -1)),
                Arguments.of("a name that is zero", both().setZero(names, 16)),
                Arguments.of("a name twice", both().setBytes(names, both(), names + 32, 32)),
                Arguments.of("a process twice", both().setBytes(names, both(), names + 32, 16)),
                Arguments.of("a name without a handle", both().setInt(names + 16, 0)),
                Arguments.of("a name without a grant", both().setLong(names + 24, 0)),
                Arguments.of("a slab without a handle", both().setInt(SlabList.FIXED_LENGTH + 4, 0)),
                Arguments.of("a slab without a grant", both().setLong(grant, 0)),
                Arguments.of("a grant above the generation", both().setLong(grant, 701)),
                Arguments.of("a generation below the grant", both().setLong(generation, 599)),
                Arguments.of("names cut short", both().writerIndex(names + 63)),
                Arguments.of("an entry cut short", both().writerIndex(grant + 7)),
                Arguments.of("more entries than there are", both().setInt(0, 2)),
                Arguments.of("a huge number of entries", both().setInt(0, Integer.MAX_VALUE)),
                Arguments.of("a negative number of entries", both().setInt(0, -1)),
                Arguments.of("bytes behind the last", both().writeByte(0)),
                Arguments.of(
                        "an empty list that goes on",
                        Unpooled.buffer().writeInt(0).writeInt(1)),
                Arguments.of("a negative index", both().setInt(SlabList.FIXED_LENGTH, -1)));
    }

    private static ByteBuf both() {
        return encoded(one(SlabCopies.live(List.of(A, B))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("broken")
    void aBodyThatIsNone(String what, ByteBuf body) {
        assertThatThrownBy(() -> SlabList.decode(body)).isInstanceOf(ProtocolException.class);
    }
}
