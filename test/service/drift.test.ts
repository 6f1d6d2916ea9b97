/** C28: what quantizing a model cost is bound by its manifest, and a poor model is served only if that is accepted. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ModelRefused } from '../../circuits/errors.js';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import type { ConstantTensor, Graph } from '../../circuits/onnx/graph.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import { quantizeModel } from '../../circuits/quantize/index.js';
import { RECORD_KEY } from '../../circuits/quantization-record.js';
import { SeededRandom } from '../../models/train/random.js';
import { compileUpload, installModel } from '../../service/install.js';
import { manifestDigest } from '../../service/verifier/receipt.js';
import { GraphWriter } from '../support/graphs.js';

const random = new SeededRandom(28);
const numbers = (count: number): Float32Array =>
  Float32Array.from({ length: count }, () => random.between(-1, 1));

const float: Graph = {
  opsets: new Map([['', 13]]),
  inputs: [{ name: 'x', dtype: 'float32', shape: [1, 4] }],
  outputs: [{ name: 'y', dtype: 'float32', shape: [1, 3] }],
  constants: new Map([['w', { dtype: 'float32', shape: [4, 3], data: numbers(12) }]]),
  nodes: [
    { name: 'm', domain: '', type: 'MatMul', inputs: ['x', 'w'], outputs: ['y'], attributes: new Map() },
  ],
};
const samples = Array.from(
  { length: 64 },
  () => new Map<string, ConstantTensor>([['x', { dtype: 'float32', shape: [1, 4], data: numbers(4) }]]),
);

const quantized = async (): Promise<Uint8Array> => (await quantizeModel(encodeGraph(float), samples)).model;

/** The same file with other figures about itself. */
function claiming(model: Uint8Array, change: Record<string, unknown>): Uint8Array {
  const graph = loadGraph(model);
  const record = JSON.parse(graph.metadata!.get(RECORD_KEY)!) as Record<string, unknown>;
  const text = JSON.stringify({ ...record, ...change });
  return encodeGraph({ ...graph, metadata: new Map([[RECORD_KEY, text]]) });
}

const modes = { inputMode: 'committed', outputMode: 'packed' } as const;
const digestOf = (model: Uint8Array): string =>
  manifestDigest(JSON.parse(JSON.stringify(compileUpload(model, modes).compiled.manifest)) as never);

test('C28 the agreement that the quantizer measured stands in the manifest, and its digest follows the figure', async (t) => {
  const model = await quantized();
  const { quantizedFrom } = compileUpload(model, modes).compiled.manifest;
  t.is(quantizedFrom!.floatModel, createHash('sha256').update(encodeGraph(float)).digest('hex'));
  t.is(quantizedFrom!.samples, 64);
  t.true(quantizedFrom!.agreementPpm > 900_000);
  t.not(digestOf(model), digestOf(claiming(model, { agreementPpm: 1 })));
});

test('C28 a model below the threshold is not installed unless its drift is accepted', async (t) => {
  const modelsFolder = await mkdtemp(join(tmpdir(), 'verinfer-drift-'));
  t.teardown(() => rm(modelsFolder, { recursive: true, force: true }));
  const poor = claiming(await quantized(), { agreementPpm: 940_000 });
  const options = { name: 'poor', modelsFolder };
  const error = await t.throwsAsync(installModel(poor, options), { instanceOf: ModelRefused });
  t.regex(error!.message, /agreement .* must be at least 95\.00 %, or accepted explicitly.*got 94\.00 %/);
  const { folder, description } = await installModel(poor, { ...options, acceptsDrift: true });
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Record<
    string,
    object
  >;
  t.like(manifest['quantizedFrom'], { agreementPpm: 940_000, samples: 64 });
  t.like(description.manifest['quantizedFrom'], { agreementPpm: 940_000 });
});

test('finding-40: a model that ONNX Runtime cannot run is not set up', async (t) => {
  // The circuit compares the integers whatever their types; ONNX Runtime has no such comparison, and no answer.
  const modelsFolder = await mkdtemp(join(tmpdir(), 'verinfer-mixed-'));
  t.teardown(() => rm(modelsFolder, { recursive: true, force: true }));
  const g = new GraphWriter();
  const z = g.node('Greater', [g.input('x', 'int8', [2]), g.input('y', 'int32', [2])]);
  const mixed = encodeGraph(g.finish([{ name: z, dtype: 'bool', shape: [2] }]));
  await t.throwsAsync(installModel(mixed, { name: 'mixed', modelsFolder }), {
    instanceOf: ModelRefused,
    message: /must be those of ONNX Runtime, got .*Greater/,
  });
  t.deepEqual(await readdir(modelsFolder), []);
});

test('C28 figures that cannot be read are refused, not dropped', async (t) => {
  const model = await quantized();
  for (const change of [
    { agreementPpm: 1_000_001 },
    { agreementPpm: -1 },
    { agreementPpm: undefined },
    { floatModel: 'abc' },
    { praise: 1 },
  ])
    t.throws(() => compileUpload(claiming(model, change), modes), { instanceOf: ModelRefused });
});
