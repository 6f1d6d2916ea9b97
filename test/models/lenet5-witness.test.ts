/** Random digits through the circuit of models/lenet5: the witness satisfies every row, and proves what ONNX Runtime says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as ort from 'onnxruntime-node';
import { check, compile } from '../../circuits/index.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import { openSession } from '../../circuits/quantize/calibrate.js';
import { loadDigits } from '../../models/train/digits.js';
import { SeededRandom } from '../../models/train/random.js';

test('lenet5: 20 random digits, every witness satisfies the R1CS and carries the outputs of ONNX Runtime', async (t) => {
  const bytes = readFileSync(join(process.cwd(), 'models/lenet5/model.onnx'));
  const graph = loadGraph(bytes);
  const dequantize = graph.nodes.find(({ type }) => type === 'DequantizeLinear')!;
  const scale = (graph.constants.get(dequantize.inputs[1]!)!.data as Float32Array)[0]!;
  const session = await openSession(bytes);
  const model = compile(graph);
  const digits = loadDigits();
  const random = new SeededRandom(20);
  for (let i = 0; i < 20; i++) {
    const { x } = digits[Math.floor(random.between(0, digits.length))]!;
    const inputs = model.quantizeInput({ image: x });
    const { witness, outputs } = model.computeWitness({ inputs, ctx: BigInt(i), salt: 248n });
    t.deepEqual(check(model.r1cs, witness), { ok: true });
    const { logits } = await session.run({ image: new ort.Tensor('float32', x, [1, 1, 28, 28]) });
    const proven = Array.from(outputs.get(dequantize.inputs[0]!)!, (q) => q * scale);
    t.deepEqual(proven, Array.from(logits!.data as Float32Array));
  }
});

test('lenet5: at most 2^17 rows', (t) => {
  const { r1cs } = compile(loadGraph(readFileSync(join(process.cwd(), 'models/lenet5/model.onnx'))));
  t.true(r1cs.constraintCount <= 2 ** 17);
});
