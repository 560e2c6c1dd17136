package io.leapnbd.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PrintableTest {

    @Test
    void namesThatPeopleGiveStayAsTheyAre() {
        assertThat(Printable.of("leap-1 é 日本 🐇")).isEqualTo("leap-1 é 日本 🐇");
    }

    @Test
    void whatSteersATerminalOrAddsALineIsWrittenOut() {
        assertThat(Printable.of("a\u001b[2Jb\nc\u0085d\u202ee\u2028f"))
                .isEqualTo("a\\u001b[2Jb\\u000ac\\u0085d\\u202ee\\u2028f");
    }
}
