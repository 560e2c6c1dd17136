package io.leapnbd.tools;

import io.leapnbd.tools.attach.AttachCommand;
import io.leapnbd.tools.attach.DetachCommand;
import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.LogOptions;
import io.leapnbd.tools.cli.LogSetup;
import io.leapnbd.tools.cli.OneLineErrors;
import io.leapnbd.tools.config.ConfigCommand;
import io.leapnbd.tools.config.ConfigSource;
import io.leapnbd.tools.config.Configured;
import io.leapnbd.tools.demo.DemoCommand;
import io.leapnbd.tools.doctor.DoctorCommand;
import io.leapnbd.tools.donor.DonorCommand;
import io.leapnbd.tools.histogram.HistogramCommand;
import io.leapnbd.tools.linux.Hangup;
import io.leapnbd.tools.pool.PoolCommand;
import io.leapnbd.tools.push.PushCommand;
import io.leapnbd.tools.replay.ReplayCommand;
import io.leapnbd.tools.reproduce.ReproduceCommand;
import io.leapnbd.tools.run.RunCommand;
import io.leapnbd.tools.serve.DrainCommand;
import io.leapnbd.tools.serve.ReloadCommand;
import io.leapnbd.tools.serve.ServeCommand;
import io.leapnbd.tools.serve.SetCommand;
import io.leapnbd.tools.status.StatusCommand;
import io.leapnbd.tools.status.TopCommand;
import io.leapnbd.tools.trace.TraceCommand;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line's root: picks the command. */
@Command(
        name = "leap-nbd",
        description = "Gives a Linux machine a swap device whose blocks live in the spare memory of other machines.",
        mixinStandardHelpOptions = true,
        versionProvider = LeapNbd.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n",
        footerHeading = "%nExit codes:%n",
        footer = {
            "  0    done",
            "  1    it failed; the line on standard error says why",
            "  2    the command line is wrong",
            "  3    the server or donor does not answer",
            "  4    this machine or user lacks something that is needed",
            "",
            "Environment: JAVA_HOME (a JDK 25), LEAP_NBD_LOG (trace, debug, info, warn, error, off), NO_COLOR,",
            "LEAP_NBD_JAVA_OPTS (more flags for the JVM), LEAP_NBD_CONFIG (the file of settings; none for none).",
            "Begin with 'leap-nbd demo'."
        })
final class LeapNbd implements Runnable {

    /** In the order of the help. */
    private static final Map<String, Supplier<Object>> COMMANDS = commands();

    /** Those that keep other programs' pages: the end of the session that they were started in is not theirs. */
    private static final Set<String> STAYING = Set.of("serve", "donor", "attach");

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** Runs one command and exits with its code. */
    public static void main(String[] args) {
        int code = run(args);
        if (stays(args)) {
            LogSetup.flush();
        }
        if (code == ExitCode.OK && System.out.checkError()) {
            System.err.println("leap-nbd: not all could be written to standard output");
            code = ExitCode.FAILED;
        }
        System.exit(code);
    }

    /** Runs one command and returns its exit code. */
    static int run(String... given) {
        String[] args = spelled(given);
        String complaint = LogSetup.complaint();
        if (!complaint.isEmpty()) {
            System.err.println("leap-nbd: " + complaint);
            return ExitCode.USAGE;
        }
        if (stays(args)) {
            Hangup.outlive();
        }
        return Configured.execute(commandLine(args), args, ConfigSource.here());
    }

    /** Help and version, asked for as people know it from other programs: {@code help}, {@code help serve}, {@code version}. */
    private static String[] spelled(String[] given) {
        if (given.length == 0) {
            return given;
        }
        return switch (given[0]) {
            case "help" ->
                given.length == 1
                        ? new String[] {"--help"}
                        : COMMANDS.containsKey(given[1]) ? new String[] {given[1], "--help"} : new String[] {given[1]};
            case "version" -> given.length == 1 ? new String[] {"--version"} : given;
            default -> given;
        };
    }

    private static boolean stays(String[] args) {
        return args.length > 0 && STAYING.contains(args[0]);
    }

    /** The command line with all commands, as help shows it. */
    static CommandLine commandLine() {
        return commandLine(new String[0]);
    }

    /**
     * The command line for some arguments: with the one command that they name, or with all. To look through the options of
     * all commands takes longer than to start a server otherwise does.
     */
    static CommandLine commandLine(String[] args) {
        CommandLine commandLine = new CommandLine(new LeapNbd());
        Supplier<Object> named = args.length == 0 ? null : COMMANDS.get(args[0]);
        if (named != null) {
            commandLine.addSubcommand(named.get());
        } else {
            COMMANDS.values().forEach(command -> commandLine.addSubcommand(command.get()));
        }
        CommonOptions.addTo(commandLine);
        commandLine.setExecutionStrategy(result -> {
            LogOptions.apply(result);
            return new CommandLine.RunLast().execute(result);
        });
        OneLineErrors errors = new OneLineErrors(Configured::explain);
        commandLine.setOut(new PrintWriter(System.out, true, StandardCharsets.UTF_8));
        commandLine.setErr(
                stays(args) ? LogSetup.standardError() : new PrintWriter(System.err, true, StandardCharsets.UTF_8));
        commandLine.setParameterExceptionHandler(errors);
        commandLine.setExecutionExceptionHandler(errors);
        commandLine.setUsageHelpAutoWidth(true);
        commandLine.setUsageHelpLongOptionsMaxWidth(32);
        commandLine.setAbbreviatedOptionsAllowed(false);
        commandLine.setCaseInsensitiveEnumValuesAllowed(true);
        return commandLine;
    }

    private static Map<String, Supplier<Object>> commands() {
        Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
        commands.put("demo", DemoCommand::new);
        commands.put("serve", ServeCommand::new);
        commands.put("donor", DonorCommand::new);
        commands.put("pool", PoolCommand::new);
        commands.put("config", () -> new ConfigCommand(name -> commandLine(new String[] {name})));
        commands.put("attach", AttachCommand::new);
        commands.put("detach", DetachCommand::new);
        commands.put("run", RunCommand::new);
        commands.put("push", PushCommand::new);
        commands.put("doctor", DoctorCommand::new);
        commands.put("status", StatusCommand::new);
        commands.put("top", TopCommand::new);
        commands.put("set", SetCommand::new);
        commands.put("reload", ReloadCommand::new);
        commands.put("drain", DrainCommand::new);
        commands.put("histogram", HistogramCommand::new);
        commands.put("replay", ReplayCommand::new);
        commands.put("trace", TraceCommand::new);
        commands.put("reproduce", ReproduceCommand::new);
        commands.put("generate-completion", CompletionCommand::new);
        commands.put("train", TrainCommand::new);
        return Collections.unmodifiableMap(commands);
    }

    /** Names by which {@link #run} finds commands. */
    static Set<String> names() {
        return COMMANDS.keySet();
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "name a command; 'leap-nbd --help' lists them");
    }

    /** Says which build this is. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = LeapNbd.class.getPackage().getImplementationVersion();
            return new String[] {
                "leap-nbd " + (version == null ? "(unpackaged)" : version),
                "Java " + Runtime.version() + ", " + System.getProperty("os.name") + " "
                        + System.getProperty("os.version") + " " + System.getProperty("os.arch")
            };
        }
    }
}
