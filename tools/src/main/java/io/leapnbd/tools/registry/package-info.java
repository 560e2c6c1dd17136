/**
 * News of a pool's donors: from a list, from DNS, or from etcd, where donors register themselves. {@code docs/registry.md} says what is proved and what is trusted.
 * Nothing here is on the way of a page, and nothing waits for it but the start of a server that knows no donor.
 */
@NullMarked
package io.leapnbd.tools.registry;

import org.jspecify.annotations.NullMarked;
