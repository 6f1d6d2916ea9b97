/**
 * LeNet-5 on 28×28 digits: 5×5×6, pool, 5×5×16, pool, 120, 84, 10; 44,426 parameters.
 * `trainLenet5` is deterministic in its seed; `lenet5.main.ts` writes the files of models/lenet5.
 */
import { jitter } from './digits.js';
import { Convolution, Dense, type LabelledSample, MaxPool2, Rectifier, train } from './network.js';
import { SeededRandom } from './random.js';

export interface Lenet5 {
  readonly convolutions: readonly [Convolution, Convolution];
  readonly dense: readonly [Dense, Dense, Dense];
  readonly layers: readonly (Convolution | Dense | Rectifier | MaxPool2)[];
}

export function createLenet5(random: SeededRandom): Lenet5 {
  const convolutions = [
    new Convolution(1, 28, 28, 6, 5, random),
    new Convolution(6, 12, 12, 16, 5, random),
  ] as const;
  const dense = [new Dense(256, 120, random), new Dense(120, 84, random), new Dense(84, 10, random)] as const;
  const layers = [
    convolutions[0],
    new Rectifier(6 * 24 * 24),
    new MaxPool2(6, 24, 24),
    convolutions[1],
    new Rectifier(16 * 8 * 8),
    new MaxPool2(16, 8, 8),
    dense[0],
    new Rectifier(120),
    dense[1],
    new Rectifier(84),
    dense[2],
  ];
  return { convolutions, dense, layers };
}

export interface Lenet5Plan {
  readonly seed: number;
  readonly epochs: number;
  readonly onEpoch: (epoch: number, meanLoss: number) => void;
}

export function trainLenet5(
  samples: readonly LabelledSample[],
  { seed, epochs, onEpoch }: Lenet5Plan,
): Lenet5 {
  const random = new SeededRandom(seed);
  const net = createLenet5(random);
  train(net.layers, samples, {
    epochs,
    batchSize: 32,
    learningRate: 0.002,
    weightDecay: 0.01,
    augment: (x) => jitter(x, random),
    random,
    onEpoch,
  });
  return net;
}
