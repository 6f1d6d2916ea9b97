/**
 * Field elements and points from a seed, exactly as snarkjs (ffjavascript) draws them: a ChaCha20 stream, 64-bit
 * words high half first, rejection above the modulus, the number drawn taken as the Montgomery form. Used where
 * a second implementation must arrive at the same point: hash to G2, and keys made by a beacon.
 */
import { createHash } from 'node:crypto';
import { bn254 } from '@noble/curves/bn254.js';
import { inverseMontgomery, q, r } from './files/points.js';
import type { Fq2Element, G1Point, G2Point } from './keys.js';

const { Fp, Fp2 } = bn254.fields;
const mask = (1n << 254n) - 1n;
const cofactor = 0x30644e72e131a029b85045b68181585e06ceecda572a2489345f2299c0f9fa8dn;

export class SeededGenerator {
  readonly #state: Uint32Array;
  #block: Uint32Array = new Uint32Array(16);
  #next = 16;

  /** 32 bytes, read as big-endian words. */
  constructor(seed: Uint8Array) {
    const words = new DataView(seed.buffer, seed.byteOffset, 32);
    const key = Array.from({ length: 8 }, (_, i) => words.getUint32(4 * i, false));
    this.#state = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, ...key, 0, 0, 0, 0);
  }

  #word(): number {
    if (this.#next === 16) {
      this.#block = chachaBlock(this.#state);
      this.#next = 0;
      this.#state[12] += 1; // a seed is never asked for 2³² blocks
    }
    return this.#block[this.#next++];
  }

  #element(modulus: bigint): bigint {
    for (;;) {
      let value = 0n;
      for (let i = 0n; i < 4n; i++) {
        const high = BigInt(this.#word());
        value |= ((high << 32n) | BigInt(this.#word())) << (64n * i);
      }
      value &= mask;
      if (value < modulus) return inverseMontgomery(value, modulus);
    }
  }

  scalar(): bigint {
    return this.#element(r);
  }

  g1(): G1Point {
    for (;;) {
      const x = this.#element(q);
      const isGreatest = (this.#word() & 1) === 1;
      const y = rootOrNull(() => Fp.sqrt(Fp.add(Fp.mul(Fp.sqr(x), x), 3n)));
      if (y === null) continue;
      return [x, isGreatest === y > (q - 1n) / 2n ? y : Fp.neg(y)];
    }
  }

  /** In the subgroup of order r: a point of the twist times the cofactor. */
  g2(): G2Point {
    for (;;) {
      const x = { c0: this.#element(q), c1: this.#element(q) };
      const isGreatest = (this.#word() & 1) === 1;
      const y = rootOrNull(() => Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), bn254.G2.Point.CURVE().b)));
      if (y === null) continue;
      const isUpper = (y.c1 === 0n ? y.c0 : y.c1) > (q - 1n) / 2n;
      const drawn = bn254.G2.Point.fromAffine({ x, y: isGreatest === isUpper ? y : Fp2.neg(y) });
      // noble takes factors below r only, and the cofactor is a little above it.
      const point = drawn
        .multiplyUnsafe(r - 1n)
        .add(drawn.multiplyUnsafe(cofactor - r + 1n))
        .toAffine();
      const pair = ({ c0, c1 }: { c0: bigint; c1: bigint }): Fq2Element => [c0, c1];
      return [pair(point.x), pair(point.y)];
    }
  }
}

function rootOrNull<T>(root: () => T): T | null {
  try {
    return root();
  } catch {
    return null;
  }
}

function chachaBlock(state: Uint32Array): Uint32Array {
  const x = state.slice();
  const turn = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
  const quarter = (a: number, b: number, c: number, d: number): void => {
    x[a] += x[b];
    x[d] = turn(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = turn(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = turn(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = turn(x[b] ^ x[c], 7);
  };
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 4; i++) quarter(i, 4 + i, 8 + i, 12 + i);
    quarter(0, 5, 10, 15);
    quarter(1, 6, 11, 12);
    quarter(2, 7, 8, 13);
    quarter(3, 4, 9, 14);
  }
  return x.map((value, i) => value + state[i]);
}

/** The G2 point with no known discrete logarithm that a contribution proves its secret over. */
export const hashToG2 = (digest: Uint8Array): G2Point => new SeededGenerator(digest).g2();

/** SHA-256 iterated 2^iterationsExponent times over the beacon: the delay that makes late choice dear. */
export function beaconGenerator(beacon: Uint8Array, iterationsExponent: number): SeededGenerator {
  let hash = beacon;
  for (let i = 0; i < 2 ** iterationsExponent; i++) hash = createHash('sha256').update(hash).digest();
  return new SeededGenerator(hash);
}
