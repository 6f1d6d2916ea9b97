/**
 * `make bench-exact`: every digit of the data set through ONNX Runtime and through the integer semantics that the
 * circuit of models/lenet5 proves; every integer output byte must agree. Last line: one JSON object.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { compile } from '../../circuits/index.js';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import { openSession } from '../../circuits/quantize/calibrate.js';
import { loadDigits } from '../../models/train/digits.js';

const graph = loadGraph(readFileSync(join(process.cwd(), 'models/lenet5/model.onnx')));
const model = compile(graph);
const input = graph.inputs[0]!;
const integerOutputs = graph.outputs.map(({ name }) => {
  const last = graph.nodes.find((node) => node.outputs[0] === name)!;
  return last.type === 'DequantizeLinear' ? last.inputs[0]! : name;
});
const session = await openSession(encodeGraph(graph, { observed: integerOutputs }));

const digits = loadDigits();
let mismatchedBytes = 0;
let comparedBytes = 0;
const started = performance.now();
for (const [i, { x }] of digits.entries()) {
  const proven = model.reference(model.quantizeInput({ [input.name]: x }));
  const returned = await session.run({ [input.name]: new ort.Tensor('float32', x, [...input.shape]) });
  for (const name of integerOutputs) {
    const [ours, theirs] = [proven.get(name)!, returned[name]!.data as Int8Array];
    comparedBytes += theirs.length;
    for (let k = 0; k < theirs.length; k++) if (ours[k] !== theirs[k]) mismatchedBytes++;
    if (ours.length !== theirs.length) mismatchedBytes += Math.abs(ours.length - theirs.length);
  }
  if ((i + 1) % 2000 === 0)
    process.stdout.write(`${i + 1} digits, ${comparedBytes} output bytes, ${mismatchedBytes} mismatched\n`);
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stdout.write(`${seconds} s on one core; oracle ONNX Runtime ${ort.env.versions.node}\n`);
process.stdout.write(`${JSON.stringify({ digits: digits.length, mismatchedBytes })}\n`);
process.exitCode = mismatchedBytes === 0 && comparedBytes > 0 ? 0 : 1;
