package io.leapnbd.tools;

import io.leapnbd.tools.attach.AttachCommand;
import io.leapnbd.tools.attach.DetachCommand;
import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.LogSetup;
import io.leapnbd.tools.cli.OneLineErrors;
import io.leapnbd.tools.demo.DemoCommand;
import io.leapnbd.tools.doctor.DoctorCommand;
import io.leapnbd.tools.donor.DonorCommand;
import io.leapnbd.tools.histogram.HistogramCommand;
import io.leapnbd.tools.run.RunCommand;
import io.leapnbd.tools.serve.ServeCommand;
import io.leapnbd.tools.status.StatusCommand;
import io.leapnbd.tools.status.TopCommand;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
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
        subcommands = {
            DemoCommand.class,
            ServeCommand.class,
            DonorCommand.class,
            AttachCommand.class,
            DetachCommand.class,
            RunCommand.class,
            DoctorCommand.class,
            StatusCommand.class,
            TopCommand.class,
            HistogramCommand.class,
            TrainCommand.class
        },
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
            "LEAP_NBD_JAVA_OPTS (more flags for the JVM).",
            "Begin with 'leap-nbd demo'."
        })
final class LeapNbd implements Runnable {

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** Runs one command and exits with its code. */
    public static void main(String[] args) {
        System.exit(run(args));
    }

    /** Runs one command and returns its exit code. */
    static int run(String... args) {
        String complaint = LogSetup.complaint();
        if (!complaint.isEmpty()) {
            System.err.println("leap-nbd: " + complaint);
            return ExitCode.USAGE;
        }
        return commandLine().execute(args);
    }

    /** The command line with all that is registered, for running and for generating completions and man pages. */
    static CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(new LeapNbd());
        CommonOptions.addTo(commandLine);
        commandLine.setExecutionStrategy(result -> {
            if (CommonOptions.verbose(result)) {
                LogSetup.verbose();
            }
            return new CommandLine.RunLast().execute(result);
        });
        OneLineErrors errors = new OneLineErrors();
        commandLine.setOut(new PrintWriter(System.out, true, StandardCharsets.UTF_8));
        commandLine.setErr(new PrintWriter(System.err, true, StandardCharsets.UTF_8));
        commandLine.setParameterExceptionHandler(errors);
        commandLine.setExecutionExceptionHandler(errors);
        commandLine.setUsageHelpAutoWidth(true);
        commandLine.setUsageHelpLongOptionsMaxWidth(32);
        commandLine.setAbbreviatedOptionsAllowed(false);
        commandLine.setCaseInsensitiveEnumValuesAllowed(true);
        return commandLine;
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
