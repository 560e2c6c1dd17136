package io.leapnbd.tools;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import org.junit.jupiter.api.Test;

/** Which module may see what: the arrows of ARCHITECTURE.md. */
class ModuleArrowsTest {

    private static final String JDK = "java..";
    private static final String JAVAX = "javax..";
    private static final String JSPECIFY = "org.jspecify.annotations..";
    private static final String NETTY = "io.netty..";
    private static final String SLF4J = "org.slf4j..";

    private static final JavaClasses ALL = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("io.leapnbd");

    @Test
    void prefetchSeesTheJdkOnly() {
        classes()
                .that()
                .resideInAPackage("io.leapnbd.prefetch..")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("io.leapnbd.prefetch..", JDK, JSPECIFY)
                .check(ALL);
    }

    @Test
    void donorSeesNettyAndDisni() {
        classes()
                .that()
                .resideInAPackage("io.leapnbd.donor..")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("io.leapnbd.donor..", JDK, JAVAX, JSPECIFY, NETTY, SLF4J, "com.ibm.disni..")
                .check(ALL);
    }

    @Test
    void nbdServerSeesNetty() {
        classes()
                .that()
                .resideInAPackage("io.leapnbd.nbd..")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("io.leapnbd.nbd..", JDK, JAVAX, JSPECIFY, NETTY, SLF4J)
                .check(ALL);
    }

    @Test
    void leapBypassSeesPrefetchTheDonorsProtocolAndStoreAndTheNbdServersSpi() {
        classes()
                .that()
                .resideInAPackage("io.leapnbd.bypass..")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(
                        "io.leapnbd.bypass..",
                        "io.leapnbd.prefetch..",
                        "io.leapnbd.donor.protocol..",
                        "io.leapnbd.donor.store..",
                        "io.leapnbd.donor.rdma..",
                        "io.leapnbd.donor.linux..",
                        "io.leapnbd.donor.loop..",
                        "io.leapnbd.donor.memory..",
                        "io.leapnbd.donor.tls..",
                        "io.leapnbd.nbd.spi..",
                        JDK,
                        JAVAX,
                        JSPECIFY,
                        NETTY,
                        SLF4J,
                        "org.HdrHistogram..")
                .check(ALL);
    }

    @Test
    void theSpiSeesNothingOfTheServer() {
        noClasses()
                .that()
                .resideInAPackage("io.leapnbd.nbd.spi..")
                .should()
                .dependOnClassesThat(com.tngtech.archunit.base.DescribedPredicate.describe(
                        "are of the server outside its SPI",
                        c -> c.getPackageName().startsWith("io.leapnbd.nbd")
                                && !c.getPackageName().startsWith("io.leapnbd.nbd.spi")))
                .check(ALL);
    }

    @Test
    void packagesOfAModuleFormNoCircles() {
        SlicesRuleDefinition.slices()
                .matching("io.leapnbd.(**)")
                .should()
                .beFreeOfCycles()
                .check(ALL);
    }
}
