/** {@code leap-nbd pool}: certificates of the machines that lend memory to each other; and what donors and servers do with them. */
@org.jspecify.annotations.NullMarked
package io.leapnbd.tools.pool;
