package io.leapnbd.tools.doctor;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.http.EndpointClient;
import io.leapnbd.tools.http.RunFile;
import io.leapnbd.tools.http.SecurityLine;
import io.leapnbd.tools.linux.PrivateFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What holds of the servers and donors that run here, as they say it themselves, and of the folder that they are found by. */
final class SecurityChecks {

    private static final String NAME = "security";

    private SecurityChecks() {}

    static List<Check> all() {
        List<Check> checks = new ArrayList<>();
        checks.add(folder(RunFile.folder()));
        for (RunFile running : RunFile.running()) {
            checks.addAll(of(running));
        }
        return checks;
    }

    static Check folder(Path folder) {
        if (!Files.exists(folder)) {
            return Check.ok(NAME, folder + " is not there; servers make it for themselves alone");
        }
        try {
            PrivateFolder.require(folder, "rwx------");
            return Check.ok(NAME, folder + " is changed by nobody else");
        } catch (IOException e) {
            String why = String.valueOf(e.getMessage());
            int remedy = why.indexOf("; ");
            return Check.warn(
                    NAME, remedy < 0 ? why : why.substring(0, remedy), remedy < 0 ? "" : why.substring(remedy + 2));
        }
    }

    private static List<Check> of(RunFile running) {
        String who = running.role() + " " + running.pid() + ", ";
        List<Check> checks = new ArrayList<>();
        try {
            EndpointClient client = running.client();
            if (client != null) {
                for (SecurityLine line : SecurityLine.parse(client.get("/security"))) {
                    String found = who + line.part() + ": " + line.detail();
                    checks.add(line.holds() ? Check.ok(NAME, found) : Check.warn(NAME, found, ""));
                }
            }
        } catch (CommandFailure e) {
            checks.add(Check.warn(NAME, who + "cannot be asked: " + e.getMessage(), ""));
        }
        return checks;
    }
}
