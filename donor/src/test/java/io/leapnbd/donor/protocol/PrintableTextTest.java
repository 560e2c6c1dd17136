package io.leapnbd.donor.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PrintableTextTest {

    @Test
    void namesThatPeopleGiveStayAsTheyAre() {
        assertThat(PrintableText.of("swap-0 höst 日本 🐇")).isEqualTo("swap-0 höst 日本 🐇");
    }

    @Test
    void whatSteersATerminalOrAddsALineIsWrittenOut() {
        assertThat(PrintableText.of("a\u001b[2Jb\nc\u0085d\u202ee\u2028f\ud800"))
                .isEqualTo("a\\u001b[2Jb\\u000ac\\u0085d\\u202ee\\u2028f\\ud800");
        assertThat(PrintableText.of("\udb80\udc00")).isEqualTo("\\u{f0000}");
    }

    @Test
    void aNameThatLooksWrittenOutIsToldFromOneThatIs() {
        assertThat(PrintableText.of("\\u001b")).isEqualTo("\\u005cu001b");
    }
}
