/** The committed models are what their cards say: digests, parameter count, accuracy on the saved held-out digits. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as ort from 'onnxruntime-node';
import { openSession } from '../../circuits/quantize/calibrate.js';
import { argMax } from '../../models/train/network.js';

interface Card {
  parameters: number;
  heldOutSamples: number;
  floatAccuracy: number;
  int8Accuracy: number;
  files: Record<string, string>;
}
interface Samples {
  shape: number[];
  samples: { index: number; label: number; x: number[] }[];
}

const folder = (name: string): string => join(process.cwd(), 'models', name);
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

for (const name of ['lenet5', 'digits8x8']) {
  test(`${name}: the files are the ones the card measured`, (t) => {
    const card = readJson(join(folder(name), 'card.json')) as Card;
    for (const [file, digest] of Object.entries(card.files)) {
      const bytes = readFileSync(join(folder(name), file));
      t.is(createHash('sha256').update(bytes).digest('hex'), digest, file);
    }
  });

  test(`${name}: ONNX Runtime reads the saved held-out samples as the card's accuracy promises`, async (t) => {
    const { shape, samples } = readJson(join(folder(name), 'samples.json')) as Samples;
    const session = await openSession(readFileSync(join(folder(name), 'model.onnx')));
    let right = 0;
    for (const { x, label } of samples) {
      const { logits } = await session.run({ image: new ort.Tensor('float32', Float32Array.from(x), shape) });
      if (argMax(logits!.data as Float32Array) === label) right++;
    }
    t.true(right >= samples.length * 0.85, `${right} of ${samples.length}`);
  });
}

test('lenet5: 44,426 parameters, at least 97.5 % in int8 on at least 2,000 digits not trained on', (t) => {
  const card = readJson(join(folder('lenet5'), 'card.json')) as Card;
  t.is(card.parameters, 44426);
  t.true(card.heldOutSamples >= 2000);
  t.true(card.int8Accuracy >= 0.975);
  t.true(card.floatAccuracy - card.int8Accuracy <= 0.005);
});
