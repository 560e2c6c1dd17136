package io.leapnbd.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonValueTest {

    @Test
    void readsWhatItsOwnWriterWrites() {
        String text = new Json()
                .object()
                .put("name", "a\"b\\\n\t\u007fé\ud83d\udc0e")
                .put("number", -7L)
                .put("part", 0.5)
                .put("yes", true)
                .putNull("nothing")
                .array("list")
                .add("one")
                .add(2)
                .endArray()
                .object("inner")
                .endObject()
                .endObject()
                .toString();
        JsonValue read = JsonValue.parse(text);
        assertThat(read.get("name").text("")).isEqualTo("a\"b\\\n\t\u007fé\ud83d\udc0e");
        assertThat(read.get("number").number(0)).isEqualTo(-7);
        assertThat(read.get("yes").isTrue()).isTrue();
        assertThat(read.get("nothing").isThere()).isFalse();
        assertThat(read.get("list").items()).hasSize(2);
        assertThat(read.get("list").items().get(1).number(0)).isEqualTo(2);
        assertThat(read.get("inner").get("deeper").get("still").text("none")).isEqualTo("none");
    }

    @Test
    void readsLongNumbersAsTextAndAsNumbers() {
        assertThat(JsonValue.parse("\"7587890123456789012\"").number(0)).isEqualTo(7587890123456789012L);
        assertThat(JsonValue.parse("758789012345678901").number(0)).isEqualTo(758789012345678901L);
        assertThat(JsonValue.parse("\"seven\"").number(3)).isEqualTo(3);
        assertThat(JsonValue.parse("{\"a\":[]}").number(4)).isEqualTo(4);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "{\"a\"",
                "{\"a\":}",
                "{\"a\":1,}",
                "[1,",
                "[1 2]",
                "\"",
                "\"\\x\"",
                "\"\\u12g4\"",
                "tru",
                "nul",
                "1 2",
                "-",
                "{a:1}",
                "<html>",
                "\"\n\""
            })
    void refusesWhatIsNone(String text) {
        assertThatThrownBy(() -> JsonValue.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no JSON");
    }

    @Test
    void refusesWhatIsNestedTooDeep() {
        assertThatThrownBy(() -> JsonValue.parse("[".repeat(100_000)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("less deep");
    }

    @Test
    void failsInOneWayOnly() {
        Random random = new Random(5);
        String letters = "{}[]\",:\\u0123456789eE+-.truefalsn \n";
        for (int i = 0; i < 20_000; i++) {
            StringBuilder text = new StringBuilder();
            for (int c = random.nextInt(20); c > 0; c--) {
                text.append(letters.charAt(random.nextInt(letters.length())));
            }
            try {
                JsonValue read = JsonValue.parse(text.toString());
                assertThat(read.items()).isNotNull();
            } catch (IllegalArgumentException e) {
                assertThat(e).hasMessageStartingWith("no JSON");
            }
        }
    }
}
