/** A 64-24-10 perceptron on digits shrunk to 8×8: small enough to prove in about a second. */
import { Dense, type Layer, type LabelledSample, Rectifier, train } from './network.js';
import { SeededRandom } from './random.js';

/** Drops a 2-pixel margin and averages 3×3 blocks: 28×28 → 24×24 → 8×8. Multiples of 1/1024 keep samples short. */
export function shrink({ x, label }: LabelledSample): LabelledSample {
  const out = new Float32Array(64);
  for (let row = 0; row < 24; row++)
    for (let column = 0; column < 24; column++)
      out[Math.floor(row / 3) * 8 + Math.floor(column / 3)]! += x[(row + 2) * 28 + column + 2]! / 9;
  return { x: out.map((value) => Math.round(value * 1024) / 1024), label };
}

export interface Digits8x8Plan {
  readonly seed: number;
  readonly epochs: number;
}

export function trainDigits8x8(samples: readonly LabelledSample[], { seed, epochs }: Digits8x8Plan): Layer[] {
  const random = new SeededRandom(seed);
  const layers = [new Dense(64, 24, random), new Rectifier(24), new Dense(24, 10, random)];
  train(layers, samples, {
    epochs,
    batchSize: 32,
    learningRate: 0.01,
    weightDecay: 0.001,
    augment: (x) => x,
    random,
    onEpoch: () => {},
  });
  return layers;
}
