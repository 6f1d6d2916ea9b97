/**
 * A contributor's secret x, and the proof that its maker knew it. x is drawn from the operating system's generator,
 * with the contributor's own entropy hashed in: it can only add. Secrets are bytes in arrays that are wiped.
 */
import { randomFillSync } from 'node:crypto';
import { blake2b } from './blake2b.js';
import { encodeG1, encodeG2, fieldBytes, r, readG1, readG2, readLittleEndian } from './files/points.js';
import type { Kernels } from './kernels.js';
import type { G1Point, G2Point } from './keys.js';
import { hashToG2 } from './seeded.js';

export const one = Uint8Array.from({ length: fieldBytes }, (_, i) => (i === 0 ? 1 : 0));

/** Uniform in [2, r), so never the identity. `entropy` may be empty. */
export function drawScalar(entropy: Uint8Array): Uint8Array {
  const fresh = new Uint8Array(64);
  for (;;) {
    randomFillSync(fresh);
    const scalar = blake2b(fresh, entropy).slice(0, fieldBytes);
    scalar[fieldBytes - 1] &= 0x3f;
    const value = readLittleEndian(scalar);
    if (value > 1n && value < r) {
      fresh.fill(0);
      return scalar;
    }
  }
}

export interface KnowledgeProof {
  readonly g1s: G1Point;
  readonly g1sx: G1Point;
  readonly g2spx: G2Point;
}

/**
 * (s·G1, x·s·G1, x·H) with H hashed from `challenge(s·G1, x·s·G1)`: whoever can state x·H for an H that depends on
 * the other two knows x. `point` is s·G1; null: drawn.
 */
export async function proveKnowledge(
  kernels: Kernels,
  x: Uint8Array,
  challenge: (g1s: G1Point, g1sx: G1Point) => Promise<Uint8Array>,
  point: G1Point | null = null,
): Promise<KnowledgeProof> {
  const base = point === null ? await randomPoint(kernels) : encodeG1(point);
  const image = await kernels.multiplyEach('g1', base, x, one);
  const [g1s, g1sx] = [base, image].map((bytes) => readG1(bytes, 0, 'contribution', 'key'));
  const hashed = encodeG2(hashToG2(await challenge(g1s, g1sx)));
  const g2spx = readG2(await kernels.multiplyEach('g2', hashed, x, one), 0, 'contribution', 'key');
  return { g1s, g1sx, g2spx };
}

async function randomPoint(kernels: Kernels): Promise<Uint8Array> {
  const s = drawScalar(new Uint8Array(0));
  const point = await kernels.multiplyGenerator('g1', s);
  s.fill(0);
  return point;
}
