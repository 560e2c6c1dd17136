/** Certificates and keys of NBD over TLS, from the files that nbdkit and qemu use. */
@org.jspecify.annotations.NullMarked
package io.leapnbd.nbd.tls;
