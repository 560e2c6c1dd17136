package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StartTimeTest {
    @Test
    void a_command_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        String stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 13 0 98765 1 2";
        assertThat(StartTime.in(stat)).contains(98765L);
    }

    @Test
    void a_process_that_is_not_there_has_none() {
        assertThat(StartTime.of(Integer.MAX_VALUE)).isEmpty();
    }
}
