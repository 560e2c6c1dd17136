package io.leapnbd.tools.http;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.name;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.sun.net.httpserver.HttpServer;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import org.junit.jupiter.api.Test;

class LimitedHttpServersTest {

    /** Tests neither: who opens the first one of a process otherwise has it read no limits. */
    @Test
    void nobodyElseOpensAServer() {
        noClasses()
                .that()
                .doNotHaveFullyQualifiedName(LimitedHttpServers.class.getName())
                .should()
                .callMethodWhere(target(name("create")).and(target(owner(assignableTo(HttpServer.class)))))
                .check(new ClassFileImporter().importPackages("io.leapnbd.tools"));
    }
}
