package io.leapnbd.tools.config;

import java.util.List;

/** What is wrong with a configuration: sentences for the operator, each with its place and its remedy. */
public final class ConfigException extends Exception {

    private static final long serialVersionUID = 1;

    private final transient List<String> problems;

    /** One problem. */
    public ConfigException(String problem) {
        this(List.of(problem));
    }

    /** Several problems, at least one, in the file's order. */
    public ConfigException(List<String> problems) {
        super(problems.getFirst()
                + (problems.size() == 1
                        ? ""
                        : " (and " + (problems.size() - 1) + " more; 'leap-nbd config check' lists them)"));
        this.problems = List.copyOf(problems);
    }

    /** All of them. */
    public List<String> problems() {
        return problems;
    }
}
