/**
 * Links: one event loop's connection to one donor. A link posts requests as it gets them and completes each exactly once,
 * with data or with an error, before its deadline; what breaks underneath (connections, donors that stop) is its own affair.
 */
@NullMarked
package io.leapnbd.bypass.link;

import org.jspecify.annotations.NullMarked;
