package io.leapnbd.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.cli.ExitCode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class CommandLineTest {

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "\"\" | name a command",
                "frob | there is no command 'frob'",
                "--frob | there is no option --frob",
                "serve --sise 3 | there is no option --sise; did you mean --size?",
                "serve frob | 'frob' was not expected here",
                "pool creat /x | there is no command 'creat'; did you mean 'create'?",
                "status --http h4 | --http: 'h4' has no port; write it like h4:PORT",
                "serve --size | missing required parameter for option '--size'",
                "serve --size 1M --size 2M | --size is given twice; give it once",
                "serve --log-level loud | --log-level: loud is no level; choose trace, debug",
                "donor --memory 64M --log-format xml | --log-format: 'xml' is none of text, json and journal",
                "serve --file-limit 4K | --file-limit: 4K is less than 1M",
                "config | say 'leap-nbd config check'",
                "config show pool | 'pool' has no settings in a file; name donor, serve or attach",
                "reload now | 'now' was not expected here",
                "serve --size 5X | --size: '5X' is not a size; write it like 512M or 2G",
                "serve --size 1000 | --size: 1000 is not a multiple of 4K above zero",
                "serve --size 0 | --size: 0 is not a multiple of 4K above zero",
                "serve --size 1000T | does not fit into this machine's memory",
                "serve --donors a | --size: say how large",
                "serve --donors a,,b --size 1G | has an empty place",
                "serve --listen 10809 | names no host",
                "serve --listen a:b:c | in brackets",
                "serve --listen 0.0.0.0:10809 | --listen: whoever reaches 0.0.0.0:10809 could read and write the device; say --tls require with --tls-certificates FOLDER or --tls-psk FILE, or serve at a --unix socket, or say --insecure",
                "serve --unix /tmp/s --listen 127.0.0.1:1 --listen [::]:10809 | --listen: whoever reaches [::]:10809 could read and write",
                "serve --listen 0.0.0.0:10809 --tls on --tls-certificates /x | could read and write the device; say --tls require, or say --insecure",
                "serve --http 9480 | --http: '9480' names no host",
                "serve --http 0.0.0.0:9480 | --http: 0.0.0.0:9480 can be reached from other machines, and asks nobody who he is; give --http-token FILE or --http-tls FOLDER too, or listen on 127.0.0.1:9480",
                "donor --memory 64M --http [::]:9481 | can be reached from other machines",
                "push --pid 1 --http 0.0.0.0:9482 | can be reached from other machines",
                "serve --http none --http-token /x | --http-token: there is no HTTP endpoint",
                "serve --http-token /no/such/file | --http-token: /no/such/file does not exist; make it: (umask 077;",
                "serve --http-tls /no/such/folder | --http-tls: /no/such/folder: no such folder; make it with 'leap-nbd pool add'",
                "status --http 127.0.0.1:1 --token-file /no/such/file | /no/such/file does not exist",
                "serve --unix-mode 0660 | --unix-mode: there is no Unix socket; name one with --unix",
                "serve --unix /tmp/s --unix-mode rw | --unix-mode: 'rw' is no mode; write it like 0660",
                "serve --unix /tmp/s --unix-mode 0777 | --unix-mode: 0777 is none of a socket that its user can use; give 0600, 0660 or 0666",
                "serve --unix /tmp/s --unix-mode 0066 | --unix-mode: 0066 is none of a socket",
                "serve --unix /tmp/s --unix-group no-such-group | --unix-group: there is no group 'no-such-group' on this machine",
                "donor --memory 64M --per-owner 1M | --per-owner: 1M is less than one slab of 64M",
                "donor --memory 64M --owners /no/such/file | --owners: /no/such/file does not exist",
                "serve --io-timeout 5 | with its unit",
                "serve --io-timeout 30s | is not in 1ms..25s",
                "serve --io-timeout 0s | is not in 1ms..25s",
                "serve --threads 0 | is not in 1..64",
                "serve --threads x | --threads: 'x' is not a whole number",
                "serve --export '' | 1 to 255 bytes",
                "serve --histogram-interval 0s | above zero",
                "serve --prefetch psychic | there is no prefetch policy \"psychic\"; there are none, next-n",
                "serve --history 1 | an access history of 1 is out of range: 2 to 1024",
                "serve --history many | history: 'many' is not a whole number",
                "serve --split 33 | a history of 32 cannot be split by 33: 1 to 32",
                "serve --max-window 65 | window of 65 pages is out of range: 1 to 64",
                "serve --cache-size 5000 | cache-size: 5000 is not a multiple of 4K",
                "serve --cache-size 0 | is not a multiple of 4K above zero",
                "serve --cache-size 64G | --cache-size: 64G is not a multiple of 4K between",
                "serve --cache-size 16M --cache-limit 8M | --cache-limit: 8M is not a multiple of 4K between the cache's size",
                "set prefetch | 'prefetch' is not a setting; write it like prefetch=leap",
                "set =leap | '=leap' is not a setting",
                "set history=8 history=9 | history is given twice",
                "set format=xml | no setting is called 'format'",
                "serve --unix /tmp/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012 | at most 107 bytes",
                "donor | --memory: say how much",
                "donor --memory 1M | less than one slab of 64M",
                "donor --memory 64M --slab-size 3M | is not a power of two from 1M to 1G",
                "donor --memory 64M --slab-size 2G | is not a power of two from 1M to 1G",
                "donor --memory 64M --lease 0s | --lease: 0s is not in 1s..",
                "donor --memory 64M --transport roce | say tcp, rdma or both",
                "donor --memory 64M --transport pigeon | 'pigeon' is none; say tcp",
                "donor --memory 9000T | does not fit into this machine's memory",
                "demo --size 5M | is not a multiple of 4M",
                "histogram | say 'leap-nbd histogram dump'",
                "push | one of --pid, --cgroup, --unit and --device",
                "push --pid 1 --cgroup /x | one of --pid, --cgroup, --unit and --device",
                "push --pid 1 --policy psychic | there is no push policy \"psychic\"; there are off, leap, adaptive",
                "push --pid 1 --history 1 | an access history of 1 is out of range: 2 to 1024",
                "push --pid 1 --page-cluster 10 | --page-cluster is '10'; use keep, or 0 to 9",
                "serve --swap | --swap: this machine gains nothing by swapping to its own memory; name donors with --donors",
                "serve --donors 127.0.0.1 --size 1G --swap --unprotected | --unprotected: not for a server that this machine swaps on",
                "serve --donors 127.0.0.1 --size 1G --push | --push: this server swaps on nothing; give --swap too",
                "serve --donors 127.0.0.1 --size 1G --swap-priority 5 | --swap-priority: this server swaps on nothing",
                "serve --donors 127.0.0.1 --size 1G --swap --swap-priority 40000 | --swap-priority is 40000; use 0 to 32767",
                "serve --donors 127.0.0.1 --size 1G --swap --swap-dead-timeout 0s | --swap-dead-timeout is 0s; use 1s to 24h",
                "serve --donors 127.0.0.1 --size 1G --swap --swap-page-cluster 10 | --swap-page-cluster is 10; use 0 to 9",
                "serve --donors 127.0.0.1 --size 1G --swap --swap-device /dev/sda | '/dev/sda' is not an nbd device",
                "serve --donors 127.0.0.1 --size 1G --swap --push-http 127.0.0.1:0 | --push-http: nothing is pushed; give --push too",
                "serve --donors 127.0.0.1 --size 1G --swap --push --push-http 0.0.0.0:1 | --push-http: other machines reach 0.0.0.0:1",
                "attach /x --http 127.0.0.1:0 | --http shows figures of --push: give both, or neither",
                "attach /x --push --no-swap | --push is for a device that is swapped on: leave out --no-swap",
                "push --pid 1 --http 9482 | --http: '9482' names no host",
                "push --cgroup /proc | --cgroup: /proc is no cgroup",
                "run -- true | --memory: say how much the command may use",
                "run --memory 64M --push --pid 1 | --push is for a command",
                "doctor pull | doctor knows nothing of 'pull'",
                "histogram dump --format pdf | 'pdf' is none of hgrm, hlog, json, html",
                "histogram dump --operation eat | choose one of read, write",
                "histogram dump --stage eat | choose one of staging, queue, lookup, link, total",
                "replay | missing required parameter: 'TRACE'",
                "replay a --prefetch best | there is no prefetch policy",
                "replay a --cache-size 1000 | is not a multiple of 4K above zero",
                "replay a --latency 50 | with its unit",
                "replay a --latency 1h | is not in 0s..10s",
                "replay a --bandwidth 0 | a link that carries nothing",
                "replay a --warm-up -1 | is less than 0",
                "replay a --split 40 | cannot be split by 40",
                "replay a --max-window 65 | is out of range: 1 to 64",
                "reproduce --only figure-8 | there is no part \"figure-8\"; there are figure-7, table-2, figure-9, figure-10",
                "reproduce --results /none | there is no folder /none",
                "reproduce --out /tmp | --out: /tmp is a folder; name a file",
                "trace | say 'leap-nbd trace generate'",
                "trace generate | missing required parameter: 'KIND'",
                "trace generate zigzag | there is no kind of trace",
                "trace generate noisy:101 | is not of the form noisy:P with P from 0 to 100",
                "trace generate interleaved:8 --pages 7 | 8 streams need at least as many pages",
                "trace generate random --requests 0 | is not in 1..",
                "trace generate random --think 5s | is not in 0s..1s",
                "top --interval 1ms | is not in 100ms..1h"
            })
    void aWrongCommandLineIsRefusedInOneLine(String line, String why) {
        assertThat(run(line)).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString())
                .contains(why)
                .startsWith("leap-nbd")
                .endsWith("\n")
                .hasLineCount(1);
        assertThat(out.toString()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "status --http 127.0.0.1:1, no server answers at http://127.0.0.1:1",
        "top --http 127.0.0.1:1, no server answers",
        "set --http 127.0.0.1:1 history=8, no server answers",
        "histogram dump --http 127.0.0.1:1, no server answers",
        "status --pid 2147483647, process 2147483647 is no leap-nbd server"
    })
    void aServerThatIsNotThereIsReportedInOneLine(String line, String why) {
        assertThat(run(line)).isEqualTo(ExitCode.UNREACHABLE);
        assertThat(err.toString()).contains(why).hasLineCount(1);
    }

    @Test
    void verboseShowsWhereItWentWrong() {
        assertThat(run("status --http 127.0.0.1:1 --verbose")).isEqualTo(ExitCode.UNREACHABLE);
        assertThat(err.toString()).contains("no server answers", "java.net.ConnectException", "\tat ");
    }

    @Test
    void everyCommandExplainsItselfWithin80Columns() {
        Deque<CommandLine> commands = new ArrayDeque<>();
        commands.add(LeapNbd.commandLine());
        while (!commands.isEmpty()) {
            CommandLine command = commands.remove();
            commands.addAll(command.getSubcommands().values());
            String help = command.setUsageHelpAutoWidth(false).getUsageMessage(CommandLine.Help.Ansi.OFF);
            assertThat(help).startsWith("Usage: leap-nbd").doesNotContain("${", "null");
            assertThat(help.lines()).as(command.getCommandName()).allMatch(line -> line.length() <= 80);
            assertThat(command.getCommandSpec().optionsMap()).containsKey("--help");
        }
    }

    @Test
    void helpListsTheCommandsButNotTheHiddenOne() {
        assertThat(run("--help")).isEqualTo(ExitCode.OK);
        assertThat(out.toString())
                .contains(
                        "demo",
                        "serve",
                        "donor",
                        "attach",
                        "detach",
                        "run",
                        "push",
                        "doctor",
                        "status",
                        "top",
                        "histogram",
                        "replay",
                        "trace",
                        "reproduce",
                        "generate-completion")
                .doesNotContain("train");
    }

    @Test
    void everyCommandIsFoundByItsName() {
        assertThat(LeapNbd.commandLine().getSubcommands().keySet()).isEqualTo(LeapNbd.names());
    }

    @Test
    void theVersionNamesTheProgramAndTheJvm() {
        assertThat(run("--version")).isEqualTo(ExitCode.OK);
        assertThat(out.toString()).startsWith("leap-nbd ").contains("Java 25");
    }

    /** E13: also on a machine without the driver, whoever asks. */
    @Test
    void to_detach_what_is_not_attached_is_a_failure() {
        int code = run("detach /dev/nbd999999");
        assertThat(code).isIn(ExitCode.FAILED, ExitCode.NOT_POSSIBLE_HERE);
        assertThat(err.toString()).doesNotContain("is detached");
    }

    private int run(String line) {
        String[] words =
                line.isEmpty() ? new String[0] : line.replace("''", "\0").split(" ", -1);
        for (int i = 0; i < words.length; i++) {
            words[i] = words[i].replace("\0", "");
        }
        return LeapNbd.commandLine()
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(words);
    }

    /** E14: people say help and version as words, too. */
    @Test
    void helpAndVersionMayBeWords() {
        for (String[] words :
                List.of(new String[] {"help"}, new String[] {"help", "serve"}, new String[] {"version"})) {
            assertThat(LeapNbd.run(words)).isEqualTo(ExitCode.OK);
        }
        assertThat(LeapNbd.run("help", "nothing")).isEqualTo(ExitCode.USAGE);
    }

    /** E13: a donor that does not answer had the exit code of any failure. */
    @Test
    void aServerWhoseDonorsDoNotAnswerSaysSoByItsExitCode(@TempDir Path folder) {
        assertThat(LeapNbd.commandLine()
                        .execute(
                                "serve",
                                "--donors",
                                "127.0.0.1:1",
                                "--size",
                                "64M",
                                "--wait",
                                "0s",
                                "--unprotected",
                                "--unix",
                                folder.resolve("socket").toString(),
                                "--state-dir",
                                folder.toString()))
                .isEqualTo(ExitCode.UNREACHABLE);
    }
}
