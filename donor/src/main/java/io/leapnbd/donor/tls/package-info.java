/** Who is at the other end of a link: TLS with certificates of one pool on both sides ({@code docs/pool.md}). */
@org.jspecify.annotations.NullMarked
package io.leapnbd.donor.tls;
