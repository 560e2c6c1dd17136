package io.leapnbd.tools.host;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.linux.HostSetting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several processes that change one setting of the machine: none undoes what another wants. */
class SharedSettingsTest {

    private static final String DEAD = "process-" + Integer.MAX_VALUE + "-1";

    @TempDir
    private Path directory;

    private Path cluster = Path.of("");
    private SharedSettings settings = new SharedSettings(Path.of(""), Path.of(""));

    @BeforeEach
    void three_by_default() throws IOException {
        cluster = Files.createDirectories(directory.resolve("sysctl/vm")).resolve("page-cluster");
        Files.writeString(cluster, "3");
        settings = new SharedSettings(directory.resolve("sysctl"), directory.resolve("run"));
    }

    private static List<HostSetting> pages(int value) {
        return List.of(new HostSetting("vm.page-cluster", HostSetting.Bound.EXACTLY, value, "because"));
    }

    @Test
    void the_last_of_two_that_want_the_same_changes_it_back() throws IOException {
        assertThat(settings.apply("one", pages(0))).containsExactly("set vm.page-cluster = 0 (was 3): because");
        assertThat(settings.apply("two", pages(0))).isEmpty();
        assertThat(settings.release("one")).isEmpty();
        assertThat(cluster).hasContent("0");
        assertThat(settings.release("two")).containsExactly("set vm.page-cluster back to 3");
        assertThat(cluster).hasContent("3");
        assertThat(directory.resolve("run/sysctl")).doesNotExist();
        assertThat(directory.resolve("run/sysctl-holders")).doesNotExist();
    }

    @Test
    void the_newest_wish_counts_and_then_the_one_before_it() throws IOException {
        settings.apply("one", pages(0));
        settings.apply("two", pages(1));
        assertThat(cluster).hasContent("1");
        settings.release("two");
        assertThat(cluster).hasContent("0");
        settings.release("one");
        assertThat(cluster).hasContent("3");
    }

    @Test
    void an_older_wish_that_ends_changes_nothing() throws IOException {
        settings.apply("one", pages(0));
        settings.apply("two", pages(1));
        assertThat(settings.release("one")).isEmpty();
        assertThat(cluster).hasContent("1");
        settings.release("two");
        assertThat(cluster).hasContent("3");
    }

    @Test
    void a_process_that_was_killed_is_swept_away() throws IOException {
        settings.apply(DEAD, pages(0));
        assertThat(settings.sweep()).containsExactly("set vm.page-cluster back to 3");
        assertThat(cluster).hasContent("3");
    }

    @Test
    void whoever_comes_after_a_process_that_was_killed_knows_the_value_from_before() throws IOException {
        settings.apply(DEAD, pages(0));
        settings.apply(SharedSettings.thisProcess(), pages(0));
        assertThat(cluster).hasContent("0");
        assertThat(settings.sweep()).as("this process lives").isEmpty();
        settings.release(SharedSettings.thisProcess());
        assertThat(cluster).hasContent("3");
    }

    @Test
    void a_value_that_is_right_already_is_left_alone() throws IOException {
        assertThat(settings.apply("one", pages(3))).isEmpty();
        assertThat(settings.release("one")).isEmpty();
        assertThat(directory.resolve("run/sysctl")).doesNotExist();
    }

    @Test
    void what_somebody_else_has_set_meanwhile_stays() throws IOException {
        settings.apply("one", pages(0));
        Files.writeString(cluster, "5");
        assertThat(settings.release("one"))
                .containsExactly("vm.page-cluster is 5, which somebody else has set; it stays so");
        assertThat(cluster).hasContent("5");
        assertThat(settings.sweep()).isEmpty();
    }

    @Test
    void values_that_an_earlier_version_remembered_come_back() throws IOException {
        Files.createDirectories(directory.resolve("run"));
        Files.writeString(directory.resolve("run/sysctl"), "vm.page-cluster=3\n");
        Files.writeString(cluster, "0");
        assertThat(settings.release("attach")).containsExactly("set vm.page-cluster back to 3");
        assertThat(cluster).hasContent("3");
    }
}
