package io.leapnbd.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PrintableTest {

    @Test
    void whatATerminalWouldObeyIsEscaped() {
        // F13: an export's name can hold anything.
        assertThat(Printable.of("a\033[2Jb\nc\u009b\u2028\u202ed"))
                .isEqualTo("a\\u001b[2Jb\\u000ac\\u009b\\u2028\\u202ed");
        assertThat(Printable.of("\ud800")).isEqualTo("\\ud800");
    }

    @Test
    void textThatCanBeReadStaysAsItIs() {
        assertThat(Printable.of("Zürich/交換-1 \ud83d\ude00")).isEqualTo("Zürich/交換-1 \ud83d\ude00");
    }
}
