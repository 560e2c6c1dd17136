package io.leapnbd.tools.serve;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.config.Reload;
import io.leapnbd.tools.http.Answer;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.http.HttpEndpoint;
import io.leapnbd.tools.http.ReloadAnswer;
import io.leapnbd.tools.http.RunFile;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/** One command reaches all that runs here. */
class ReloadCommandTest {

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int reload(RunFile... running) {
        return new CommandLine(new ReloadCommand(() -> List.of(running)))
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute();
    }

    private static HttpEndpoint answering(int status, String text) {
        return HttpEndpoint.open(
                EndpointAddress.exactly(new HostPort("127.0.0.1", 0)),
                Map.of(),
                Map.of("/reload", query -> Answer.line(status, text)));
    }

    private static RunFile process(long pid, String role, @Nullable HttpEndpoint endpoint) {
        HostPort http = endpoint == null ? null : endpoint.address();
        return new RunFile(pid, role, http, "uri:", null, null, null, null, null);
    }

    @Test
    void everyServerAndDonorReadsItsFilesAgain() {
        try (HttpEndpoint one = answering(200, "read again: one");
                HttpEndpoint two = answering(200, "read again: two")) {
            assertThat(reload(process(11, "serve", one), process(12, "push", null), process(13, "donor", two)))
                    .isEqualTo(ExitCode.OK);
        }
        assertThat(out).hasToString("donor 13: read again: two\nserve 11: read again: one\n");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void theExitCodeIsTheWorstAndTheOthersAreAskedNevertheless() {
        try (HttpEndpoint one = answering(200, "read again: one");
                HttpEndpoint two = answering(400, "everything stays as it is: no key")) {
            assertThat(reload(process(11, "donor", two), process(12, "serve", one)))
                    .isEqualTo(ExitCode.USAGE);
            assertThat(out).hasToString("serve 12: read again: one\n");
            assertThat(err).hasToString("reload: donor 11: everything stays as it is: no key\n");
            assertThat(reload(process(11, "donor", two), process(13, "donor", null), process(12, "serve", one)))
                    .isEqualTo(ExitCode.UNREACHABLE);
        }
        assertThat(err.toString()).contains("reload: donor 13: ", "say 'kill -HUP 13'");
    }

    /** A donor for this machine alone is no reason to fail beside a server whose certificates are new. */
    @Test
    void oneWithNothingToReadIsNoFailure() {
        try (HttpEndpoint one = answering(ReloadAnswer.NOTHING, "this process reads no file");
                HttpEndpoint two = answering(200, "read again: two")) {
            assertThat(reload(process(11, "donor", one), process(12, "serve", two)))
                    .isEqualTo(ExitCode.OK);
        }
        assertThat(out).hasToString("donor 11: this process reads no file\nserve 12: read again: two\n");
        assertThat(err.toString()).isEmpty();
    }

    /** A path may hold any words. */
    @Test
    void anErrorWithTheSameWordsIsOne() {
        String words = "everything stays as it is: /etc/there is nothing to read again.conf is gone";
        try (HttpEndpoint one = answering(400, words)) {
            assertThat(reload(process(11, "donor", one))).isEqualTo(ExitCode.USAGE);
        }
        assertThat(err).hasToString("reload: donor 11: " + words + "\n");
    }

    @Test
    void aProcessWithoutFilesAnswersSo() {
        Reload none = new Reload(CommandSpec.create(), ServeCommand::new, Set.of());
        Answer answer = ReloadAnswer.of(none);
        assertThat(answer.status()).isEqualTo(409);
        assertThat(new String(answer.body(), StandardCharsets.UTF_8))
                .isEqualTo("this process reads no file of settings, so there is nothing to read again; 'leap-nbd set'"
                        + " changes some settings\n");
    }
}
