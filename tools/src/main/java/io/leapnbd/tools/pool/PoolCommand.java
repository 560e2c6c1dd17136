package io.leapnbd.tools.pool;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code leap-nbd pool}. */
@Command(
        name = "pool",
        sortOptions = false,
        description = {
            "Makes certificates, so that machines lend memory only to each other, and nobody reads what is sent.",
            "",
            "'pool create' makes a pool: a folder with the key that signs. Keep it on one machine, which need not be one of the"
                    + " pool. 'pool add' makes a folder for one machine; copy that there, and name it with --pool."
                    + " 'pool revoke' takes a machine out.",
            "",
            "'pool status' shows the donors and exports of a pool that has a registry, which need not be one of certificates.",
            ""
        },
        subcommands = {PoolCreate.class, PoolAdd.class, PoolRevoke.class, PoolStatus.class})
public final class PoolCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public PoolCommand() {}

    @Override
    public Integer call() {
        throw new ParameterException(
                spec.commandLine(),
                "say 'pool create FOLDER MACHINE…', 'pool add FOLDER MACHINE', 'pool revoke FOLDER MACHINE' or 'pool status --registry ETCD'; 'leap-nbd pool"
                        + " --help' has more");
    }
}
