package io.leapnbd.tools.pool;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.registry.DonorSource;
import io.leapnbd.tools.registry.EtcdClient;
import io.leapnbd.tools.registry.PoolPicture;
import io.leapnbd.tools.registry.RegistryException;
import io.leapnbd.tools.registry.RegistryOptions;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code leap-nbd pool status}. */
@Command(
        name = "status",
        sortOptions = false,
        description = {
            "Shows all donors and exports that are registered in an etcd, on one screen.",
            "",
            "A donor is there that was started with --registry, and an export whose server has its --donors from there. What donors"
                    + " hold of an export without a server is shown too, and how long they keep it.",
            ""
        })
public final class PoolStatus implements Callable<Integer> {

    @Option(
            names = "--registry",
            paramLabel = "ETCD",
            required = true,
            description = "The etcd and the pool: etcd://host:port,host:port/POOL.")
    private String registry = "";

    @Mixin
    private RegistryOptions access = new RegistryOptions();

    @Option(names = "--json", description = "As JSON, for scripts.")
    private boolean json;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public PoolStatus() {}

    @Override
    public Integer call() {
        DonorSource.Etcd etcd;
        try {
            etcd = DonorSource.Etcd.parse(registry);
        } catch (TypeConversionException e) {
            throw new ParameterException(spec.commandLine(), "--registry: " + e.getMessage(), e);
        }
        try (EtcdClient client = new EtcdClient(etcd, access.access(), EtcdClient.LARGE)) {
            PoolPicture picture = PoolPicture.of(etcd, client);
            spec.commandLine().getOut().print(json ? picture.json() : picture.text());
            spec.commandLine().getOut().flush();
            return ExitCode.OK;
        } catch (RegistryException e) {
            throw new CommandFailure(
                    e.refused() ? ExitCode.FAILED : ExitCode.UNREACHABLE,
                    "registry " + etcd + " does not say: " + e.getMessage(),
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailure(ExitCode.FAILED, "it was told to end", e);
        }
    }
}
