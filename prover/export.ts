import { fileSource } from './files/container.js';
import { readZkey } from './files/zkey.js';
import { checkVerifyingKey } from './key-check.js';
import type { VerifyingKey } from './keys.js';

/**
 * The verifying key of a `.zkey`. Refuses, with UnsafeVerifyingKey, a key that anyone can forge for; snarkjs
 * exports it without a word. Throws MalformedFile.
 */
export function exportVerifyingKey(zkeyPath: string): VerifyingKey {
  const source = fileSource(zkeyPath);
  try {
    const { verifyingKey, header } = readZkey(source);
    checkVerifyingKey(verifyingKey, header.publicCount);
    return verifyingKey;
  } finally {
    source.close();
  }
}
