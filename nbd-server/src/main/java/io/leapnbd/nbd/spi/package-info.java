/**
 * What a device has to implement to be exported over NBD, and nothing else: this package is all that a device may see
 * of the server.
 */
@NullMarked
package io.leapnbd.nbd.spi;

import org.jspecify.annotations.NullMarked;
