/** The whole story on one machine: donors, a server, a client that checks every page, and crashes in the middle. */
@NullMarked
package io.leapnbd.tools.demo;

import org.jspecify.annotations.NullMarked;
