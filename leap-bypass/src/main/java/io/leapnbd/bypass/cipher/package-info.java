/**
 * Pages that leave the process as ciphertext: keys, nonces and AES-GCM (docs/encryption.md). Knows nothing of maps and donors.
 */
@NullMarked
package io.leapnbd.bypass.cipher;

import org.jspecify.annotations.NullMarked;
