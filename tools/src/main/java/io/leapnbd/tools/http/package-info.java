/** The loopback HTTP endpoint of a server or donor, and the client that the other commands reach it with. */
@NullMarked
package io.leapnbd.tools.http;

import org.jspecify.annotations.NullMarked;
