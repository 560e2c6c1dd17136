package io.leapnbd.tools.doctor;

import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.Json;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd doctor}: what this machine and user have, what is missing, and what to do about it. */
@Command(
        name = "doctor",
        description = "Check what this machine and user have for remote swap, and say what to fix.",
        footer = "%nExits with 1 when something is missing without which it cannot work here.")
public final class DoctorCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    @SuppressWarnings("UnusedVariable") // picocli and the error handler act on it
    private CommonOptions common = new CommonOptions();

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Parameters(
            arity = "0..1",
            paramLabel = "push",
            description = "push: check only what 'leap-nbd push' needs, which is more than remote swap does.")
    private String what = "";

    /** For picocli. */
    public DoctorCommand() {}

    @Override
    public Integer call() {
        List<Check> checks = switch (what) {
            case "" -> swapping();
            case "push" -> PushChecks.all();
            default ->
                throw new ParameterException(
                        spec.commandLine(), "doctor knows nothing of '" + what + "'; say 'doctor push' or 'doctor'");
        };
        PrintWriter out = spec.commandLine().getOut();
        out.println(json ? json(checks) : text(checks));
        out.flush();
        return exitCode(checks);
    }

    private static List<Check> swapping() {
        List<Check> checks = new ArrayList<>(new KernelChecks(Path.of("/")).all());
        checks.addAll(ProcessChecks.all());
        checks.addAll(RdmaChecks.all());
        checks.addAll(SecurityChecks.all());
        return checks;
    }

    static int exitCode(List<Check> checks) {
        return checks.stream().anyMatch(check -> check.status() == Check.Status.FAIL) ? ExitCode.FAILED : ExitCode.OK;
    }

    static String text(List<Check> checks) {
        return String.join(
                System.lineSeparator(), checks.stream().map(Check::toString).toList());
    }

    static String json(List<Check> checks) {
        Json json = new Json().object().array("checks");
        for (Check check : checks) {
            json.object()
                    .put("name", check.name())
                    .put("status", check.status().label())
                    .put("detail", check.detail())
                    .put("remedy", check.remedy())
                    .endObject();
        }
        return json.endArray().endObject().toString();
    }
}
