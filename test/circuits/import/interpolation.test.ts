/** Linear Resize and Upsample of quantized values: the executed graph answers what the uploaded file answers. */
import test from 'ava';
import { ModelRefused } from '../../../circuits/errors.js';
import { importModel } from '../../../circuits/import/import.js';
import { check, compile } from '../../../circuits/index.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import type { Graph } from '../../../circuits/onnx/graph.js';
import { checkUniqueness } from '../../../circuits/r1cs/uniqueness.js';
import { GraphWriter } from '../../support/graphs.js';
import { runtimeOutputs } from '../../support/operator-agreement.js';
import { random, seedFrom } from '../../support/random.js';
import { integers } from '../../support/values.js';

const transforms = ['half_pixel', 'pytorch_half_pixel', 'asymmetric', 'align_corners'];

/** x as bytes of scale 0.5, resized and quantized again. */
function resized(
  sizes: readonly number[],
  transform: string,
  dtype: 'int8' | 'uint8',
  mode = 'linear',
): Graph {
  const g = new GraphWriter();
  const x = g.input('x', dtype, [1, 2, 3, 4]);
  const zero = g.zeroPoint(dtype, 3);
  const float = g.node('DequantizeLinear', [x, g.scale(0.5), zero]);
  const all = g.constant('int64', [4], [1, 2, ...sizes]);
  const y = g.node('Resize', [float, '', '', all], {
    mode: { kind: 'string', value: mode },
    coordinate_transformation_mode: { kind: 'string', value: transform },
  });
  const z = g.node('QuantizeLinear', [y, g.scale(0.75), zero]);
  return g.finish([{ name: z, dtype, shape: [1, 2, ...sizes] }]);
}

for (const transform of transforms)
  test(`C23 linear Resize, ${transform}: every integer is ONNX Runtime's of the uploaded file`, async (t) => {
    const r = random(seedFrom(t.log));
    const sizes =
      transform === 'align_corners'
        ? [
            [5, 7],
            [3, 7],
          ]
        : [
            [6, 8],
            [3, 16],
            [3, 2],
          ];
    for (const [n, size] of sizes.entries()) {
      const dtype = n % 2 === 0 ? 'int8' : 'uint8';
      const graph = resized(size, transform, dtype);
      const [low, high] = dtype === 'int8' ? [-128, 127] : [0, 255];
      const model = compile(importModel(encodeGraph(graph)).graph, { inputMode: 'public' });
      t.true(checkUniqueness(model.r1cs, { givenWires: model.givenWires }).ok);
      for (let k = 0; k < 2; k++) {
        const inputs = new Map([['x', integers(r, 24, low, high)]]);
        const { witness, outputs } = model.computeWitness({ inputs, ctx: 1n, salt: 0n });
        const [proven] = outputs.values();
        t.deepEqual(Array.from(proven!), await runtimeOutputs(graph, inputs), `${dtype} ${size}`);
        t.true(check(model.r1cs, witness, { labels: model.labels }).ok);
      }
    }
  });

test('a factor whose weights int8 does not hold, and cubic interpolation, are refused by name', (t) => {
  const refused = (graph: Graph, message: RegExp) =>
    t.throws(() => importModel(encodeGraph(graph)), { instanceOf: ModelRefused, message });
  refused(
    resized([5, 4], 'half_pixel', 'int8'),
    /\(Resize\): interpolation weights must be multiples of 2\^-6/,
  );
  refused(resized([6, 8], 'half_pixel', 'int8', 'cubic'), /Resize/);
});
