/**
 * The points of files/derived.ts, from a finished key and without its secrets. Both transforms of E = F_odd·F⁻¹ are
 * symmetric matrices around a diagonal, E = F·diag(ζ^k)·F⁻¹, so with F⁻¹ the `lagrange` kernel and (F·P)_i = n·(F⁻¹·P)_(−i)
 *
 *   D = −Eᵀ·H = −F⁻¹·diag(ζ^k)·F·H
 *
 * n·log₂ n scalar multiplications: once a key, half a minute for 2¹⁷ rows. A development setup knows the trapdoor and
 * multiplies the generator by d_i = L_i(τ)(τⁿ − 1)/(2δ) instead, a tenth of its own time. A ceremony cannot: δ is in D,
 * and contributors multiply standard keys, which have no place for it.
 */
import { fileSource, readSection } from './files/container.js';
import { derivedPathOf, fileDigest, writeDerivedFile } from './files/derived.js';
import { g1Bytes, r } from './files/points.js';
import { readZkey } from './files/zkey.js';
import { type Kernels, scalarBytes } from './kernels.js';
import type { CeremonyOptions } from './ptau.js';
import { domainGenerator } from './qap.js';
import { selectKernels } from './select.js';

/** D from the H points of a key, both in file form. */
export async function derivePoints(h: Uint8Array, kernels: Kernels): Promise<Uint8Array> {
  const n = h.length / g1Bytes;
  const spectrum = reversed(await kernels.lagrange('g1', h));
  const turned = await kernels.multiplyEach(
    'g1',
    spectrum,
    scalarBytes([r - BigInt(n)]),
    scalarBytes([domainGenerator(2 * n)]),
  );
  return kernels.lagrange('g1', turned);
}

/** P_(−i mod n). */
function reversed(points: Uint8Array): Uint8Array {
  const n = points.length / g1Bytes;
  const out = new Uint8Array(points.length);
  for (let i = 0; i < n; i++) {
    const from = ((n - i) % n) * g1Bytes;
    out.set(points.subarray(from, from + g1Bytes), i * g1Bytes);
  }
  return out;
}

/** Writes the derived file of a key, by default beside it. Throws MalformedFile for a key that is none. */
export async function deriveKey(
  zkeyPath: string,
  derivedPath = derivedPathOf(zkeyPath),
  { onProgress, kernels = selectKernels().kernels }: CeremonyOptions = {},
): Promise<void> {
  const zkeyDigest = await fileDigest(zkeyPath);
  const source = fileSource(zkeyPath);
  try {
    const { header, container } = readZkey(source);
    onProgress?.(0.05, 'H');
    const points = await derivePoints(readSection(container, 9), kernels);
    await writeDerivedFile(derivedPath, { zkeyDigest, domainSize: header.domainSize, points });
    onProgress?.(1, 'done');
  } finally {
    source.close();
  }
}
