/** What all commands share: how they read their arguments, report errors, log and print JSON. */
@NullMarked
package io.leapnbd.tools.cli;

import org.jspecify.annotations.NullMarked;
