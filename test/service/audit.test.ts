import test from 'ava';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compile } from '../../circuits/index.js';
import { modelId as hashIdentity } from '../../circuits/model-id.js';
import { verifyingKeyToJson, vkHash } from '../../prover/codec.js';
import { r } from '../../prover/curve.js';
import { audit, type AuditReport } from '../../service/audit/audit.js';
import { encodeBundle, UnreadableSubject } from '../../service/audit/bundle.js';
import { sampleInputs } from '../../service/audit/circuit-claims.js';
import { firstDivergence, traceReference, traceRuntime } from '../../service/audit/replay.js';
import { readSubject } from '../../service/audit/subject.js';
import { auditTable } from '../../service/audit/table.js';
import { encodeReceipt, signReceipt, withoutOpening } from '../../service/receipt.js';
import { MissingExpectation } from '../../service/verifier/index.js';
import { GraphWriter } from '../support/graphs.js';
import { type ProvenModel, type ProvenReceipt, proveModel, proveReceipt } from '../support/proven-model.js';
import { random, seedFrom } from '../support/random.js';
import { simulator } from '../support/simulate.js';

let folder: string;
let model: ProvenModel;
let proven: ProvenReceipt;

test.before(async (t) => {
  folder = await mkdtemp(path.join(tmpdir(), 'verinfer-audit-'));
  model = await proveModel('models/digits8x8/model.onnx', path.join(folder, 'models'));
  proven = await proveReceipt(model, random(seedFrom(t.log)));
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

const statuses = ({ checks }: AuditReport, status: string) =>
  checks.filter((check) => check.status === status).map(({ id }) => id);
const file = async (name: string, text: string) => {
  const where = path.join(folder, name);
  await writeFile(where, text);
  return where;
};
const pins = () => ({ modelId: model.modelId, requestId: proven.receipt.statement.requestId });

test('a receipt with its model at hand passes every claim but the chain and the setup', async (t) => {
  const where = await file('receipt.json', encodeReceipt(proven.receipt));
  const subject = await readSubject(where, { modelsFolder: model.modelsFolder });
  const report = await audit(subject, { expectations: pins() });
  t.deepEqual(statuses(report, 'fail'), []);
  t.deepEqual(statuses(report, 'unknown').sort(), [
    'contract-code',
    'registry',
    'revocation',
    'settled',
    'transcript',
  ]);
  t.is(report.exitCode, 0);
  for (const id of [
    'onnx',
    'circuit',
    'manifest-recompiled',
    'executed',
    'uniqueness',
    'reference',
    'runtime',
    'opening',
    'proof',
    'key-circuit',
  ]) {
    t.true(statuses(report, 'pass').includes(id), id);
  }
  const table = auditTable(report);
  t.regex(table, /not checkable/);
  for (const { sentence, applies } of report.trust) t.is(table.includes(sentence), applies);
});

test('a bundle is one file that needs nothing else', async (t) => {
  const text = encodeBundle(proven.receipt, model.onnx);
  const report = await audit(await readSubject(await file('bundle.json', text), {}), {
    expectations: pins(),
  });
  t.deepEqual(statuses(report, 'fail'), []);
  t.true(statuses(report, 'pass').includes('runtime'));
  t.true(statuses(report, 'unknown').includes('key-circuit'));
  const publicCopy = encodeBundle(withoutOpening(proven.receipt), model.onnx);
  const less = await audit(await readSubject(await file('public.json', publicCopy), {}), {
    expectations: pins(),
  });
  t.deepEqual(statuses(less, 'fail'), []);
  t.true(['opening', 'reference', 'runtime'].every((id) => statuses(less, 'unknown').includes(id)));
});

test('a model id alone is audited from its folder', async (t) => {
  const report = await audit(await readSubject(model.modelId, { modelsFolder: model.modelsFolder }), {});
  t.deepEqual(statuses(report, 'fail'), []);
  t.true(
    ['model-id', 'vk-hash', 'circuit', 'uniqueness', 'key-circuit'].every((id) =>
      statuses(report, 'pass').includes(id),
    ),
  );
});

test('an audit that did not check a foundation is no pass: exit code 3, and the closing lines say what is missing', async (t) => {
  const where = await file('alone.json', encodeReceipt(proven.receipt));
  const withoutModel = await audit(await readSubject(where, {}), { expectations: pins() });
  t.deepEqual(statuses(withoutModel, 'fail'), []);
  t.is(withoutModel.exitCode, 3);
  t.regex(
    auditTable(withoutModel),
    /INCOMPLETE: not checked that the circuit is what this model compiles to/,
  );
  t.false(
    auditTable(withoutModel).includes('nobody can forge proofs for this model ('),
    'of a development setup',
  );
});

test('a lie about the output is found by proof, reference and ONNX Runtime alike', async (t) => {
  const lie = structuredClone(proven.receipt);
  lie.outputs[0].values[3] ^= 1;
  const signed = await signReceipt({ ...lie, signature: null }, proven.operator);
  const subject = await readSubject(await file('lie.json', encodeReceipt(signed)), {
    modelsFolder: model.modelsFolder,
  });
  const report = await audit(subject, { expectations: pins() });
  t.is(report.exitCode, 1);
  t.deepEqual(statuses(report, 'fail').sort(), ['outputs', 'reference', 'runtime']);
});

test('another model, manifest or key in the folder is found', async (t) => {
  const where = await file('receipt2.json', encodeReceipt(proven.receipt));
  const other = await readFile('models/lenet5/model.onnx');
  const onnxPath = path.join(folder, 'other.onnx');
  await writeFile(onnxPath, other);
  const report = await audit(await readSubject(where, { onnxPath }), { expectations: pins() });
  t.true(['onnx', 'circuit', 'manifest-recompiled'].every((id) => statuses(report, 'fail').includes(id)));
  const second = await proveModel('models/digits8x8/model.onnx', path.join(folder, 'second'));
  const swapped = await readSubject(where, {
    modelsFolder: model.modelsFolder,
    zkeyPath: path.join(second.folder, 'key.zkey'),
  });
  t.true(statuses(await audit(swapped, { expectations: pins() }), 'fail').includes('key-circuit'));
});

test('V02 the auditor must say what is expected of a receipt; a model id speaks for itself', async (t) => {
  const subject = await readSubject(await file('bare.json', encodeReceipt(proven.receipt)), {});
  await t.throwsAsync(audit(subject, {}), { instanceOf: MissingExpectation });
  const { receipt: other } = await proveReceipt(model, random(7));
  const wrong = await audit(subject, { expectations: { ...pins(), requestId: other.statement.requestId } });
  t.deepEqual(statuses(wrong, 'fail'), ['request']);
});

test('T01 a model folder with a key without a contribution is refused', async (t) => {
  const draw = random(3);
  const { alpha, beta, gamma, ic } = simulator(3, () => draw.scalar(r)).key;
  const key = { alpha, beta, gamma, delta: gamma, ic };
  const identity = { ...model.identity, vkHash: vkHash(key) };
  const modelId = hashIdentity({ ...identity, setupClass: 1 });
  const where = path.join(folder, 'unsafe', modelId);
  await mkdir(where, { recursive: true });
  await writeFile(path.join(where, 'identity.json'), JSON.stringify({ ...identity, setupClass: 1 }));
  await writeFile(path.join(where, 'manifest.json'), JSON.stringify(model.compiled.manifest));
  await writeFile(path.join(where, 'vk.json'), JSON.stringify(verifyingKeyToJson(key)));
  const report = await audit(await readSubject(where, {}), {});
  t.deepEqual(statuses(report, 'fail'), ['key-safe']);
  t.is(report.exitCode, 1);
});

test('V07 a bundle with other fields, names or text is refused before anything is read from it', async (t) => {
  const bundle = JSON.parse(encodeBundle(proven.receipt, model.onnx));
  const hostile: Record<string, unknown>[] = [
    { files: { '../../etc/passwd': 'eA==' }, ...bundle },
    { ...bundle, version: 'verinfer-bundle/2' },
    { ...bundle, model: 'not base64!' },
    { receipt: bundle.receipt, version: bundle.version },
    { ...bundle, receipt: {}, version: bundle.version },
  ];
  for (const [i, value] of hostile.entries()) {
    const where = await file(`hostile${i}.json`, JSON.stringify(value));
    await t.throwsAsync(readSubject(where, {}), { instanceOf: UnreadableSubject }, `${i}`);
  }
  const truncated = await audit(
    await readSubject(
      await file('cut.json', JSON.stringify({ ...bundle, model: bundle.model.slice(0, 400) })),
      {},
    ),
    { expectations: pins() },
  );
  t.true(statuses(truncated, 'fail').includes('onnx') && statuses(truncated, 'fail').includes('compiles'));
  await t.throwsAsync(readSubject(path.join(folder, 'nowhere.json'), {}), { instanceOf: UnreadableSubject });
});

test('replay: reference and ONNX Runtime agree on every tensor, and a planted difference is named', async (t) => {
  const inputs = new Map(proven.opening.inputs.map(({ name, values }) => [name, Int32Array.from(values)]));
  const reference = traceReference(model.imported, inputs);
  const runtime = await traceRuntime(model.imported, model.compiled.manifest, inputs);
  t.true(reference.length >= 4);
  t.is(firstDivergence(reference, runtime), undefined);
  const shared = reference.filter(({ name }) => runtime.some((other) => other.name === name));
  t.true(shared.length >= 4);
  const planted = runtime.map((tensor) =>
    tensor.node === shared[2].node
      ? { ...tensor, values: Array.from(tensor.values, (v, i) => (i === 5 ? Number(v) + 1 : v)) }
      : tensor,
  );
  t.like(firstDivergence(reference, planted), { node: shared[2].node, element: 5, differingCount: 1 });
});

test('finding-42: a key is not said to fail because zeros have no answer', (t) => {
  // A model that divides by its input was found guilty on the zeros that the audit itself had chosen.
  const g = new GraphWriter();
  const z = g.node('Div', [g.input('x', 'int8', [2]), g.input('y', 'int8', [2])]);
  const divides = compile(g.finish([{ name: z, dtype: 'int8', shape: [2] }]));
  t.deepEqual([...sampleInputs(divides, null)!.get('y')!], [1, 1]);
  const opening = {
    inputs: [{ name: 'x', dtype: 'int8' as const, shape: [2], values: [5, 6] }],
    salt: null,
  };
  t.deepEqual([...sampleInputs(divides, opening)!.get('x')!], [5, 6]);
});
