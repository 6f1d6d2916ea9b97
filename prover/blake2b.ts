/**
 * BLAKE2b-512 as the ceremonies use it. Powers of tau stores a hash in mid-flight (216 bytes: block, state words,
 * lengths), so that the response hash can be finished by whoever has the contribution alone.
 */
import { createHash } from 'node:crypto';
import { blake2b as nobleBlake2b } from '@noble/hashes/blake2.js';

export const digestBytes = 64;
export const partialHashBytes = 216;
const blockBytes = 128;

export function blake2b(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('blake2b512');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** The fields of the pinned @noble/hashes that its types hide; test/prover/blake2b.test.ts watches over them. */
interface Internals {
  buffer: Uint8Array;
  pos: number;
  length: number;
  get(): number[];
  set(...words: number[]): void;
}

export class ResumableBlake2b {
  readonly #hash = nobleBlake2b.create({ dkLen: digestBytes });

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  digest(): Uint8Array {
    return this.#hash.clone().digest();
  }

  /** snarkjs's layout: block[128], 8 words of 64 bits, bytes hashed in full blocks (u64), bytes in the block (u64). */
  save(): Uint8Array {
    const { buffer, pos, length } = this.#internals;
    const bytes = new Uint8Array(partialHashBytes);
    const view = new DataView(bytes.buffer);
    bytes.set(buffer);
    this.#internals.get().forEach((word, i) => view.setInt32(blockBytes + 4 * i, word, true));
    view.setBigUint64(192, BigInt(length - pos), true);
    view.setUint32(200, pos, true);
    return bytes;
  }

  static resume(saved: Uint8Array): ResumableBlake2b {
    const view = new DataView(saved.buffer, saved.byteOffset, partialHashBytes);
    const hash = new ResumableBlake2b();
    const pos = view.getUint32(200, true);
    if (pos > blockBytes)
      throw new RangeError(`partial hash: block position must be at most 128, got ${pos}`);
    const internals = hash.#internals;
    internals.buffer.set(saved.subarray(0, blockBytes));
    internals.set(...Array.from({ length: 16 }, (_, i) => view.getInt32(blockBytes + 4 * i, true)));
    internals.length = Number(view.getBigUint64(192, true)) + pos;
    internals.pos = pos;
    return hash;
  }

  get #internals(): Internals {
    return this.#hash as unknown as Internals;
  }
}
