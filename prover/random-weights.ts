import { randomBytes } from 'node:crypto';
import { fieldBytes } from './files/points.js';

/** 128-bit weights as scalars: a false linear relation survives them with probability 2⁻¹²⁸. */
export function randomWeights(count: number): Uint8Array {
  const weights = new Uint8Array(count * fieldBytes);
  const drawn = randomBytes(count * 16);
  for (let i = 0; i < count; i++) weights.set(drawn.subarray(16 * i, 16 * i + 16), fieldBytes * i);
  return weights;
}
