/**
 * One model folder through the whole path: import (quantizing first if it is a float model), compile, and for every
 * vector: reference = ONNX Runtime on the executed graph, the witness satisfies the R1CS and carries the same outputs,
 * every output is determined by the inputs. What the file as uploaded would have answered is measured beside it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { ModelRefused } from '../../circuits/errors.js';
import { importModel, type ImportedModel } from '../../circuits/import/import.js';
import { check, compile, type CompiledModel } from '../../circuits/index.js';
import type { ConstantTensor } from '../../circuits/onnx/graph.js';
import { openSession, toOrtTensor } from '../../circuits/quantize/calibrate.js';
import { quantizeModel } from '../../circuits/quantize/index.js';
import { checkUniqueness } from '../../circuits/r1cs/uniqueness.js';
import { InputRefused } from '../../circuits/errors.js';
import type { CoverageItem } from './coverage-index.js';
import { readTensors } from './vectors.js';

export interface ItemResult {
  readonly id: string;
  readonly verdict: 'compiled' | 'refused' | 'wrong';
  /** Refusal, or what was wrong. */
  readonly reason?: string;
  readonly rows?: number;
  readonly vectors?: number;
  /** Reference against ONNX Runtime on the executed graph, in elements. */
  readonly mismatched?: number;
  readonly elements?: number;
  /** The executed graph against the expected outputs of the file as uploaded. */
  readonly disagreeing?: number;
  readonly answered?: number;
  /** Vectors whose largest output stands at the same place as the float model's. */
  readonly labelsAgreeing?: number;
  readonly ms: number;
}

interface Vector {
  readonly inputs: readonly ConstantTensor[];
  readonly outputs: readonly ConstantTensor[];
}

/** Circuits above this many rows are checked by constraints and vectors, not by the uniqueness pass. */
const UNIQUENESS_ROWS = 1_500_000;

export async function runItem(root: string, item: CoverageItem, isFloat: boolean): Promise<ItemResult> {
  const started = Date.now();
  try {
    const found = await judge(root, item, isFloat);
    return { id: item.id, ...found, ms: Date.now() - started };
  } catch (error) {
    const ms = Date.now() - started;
    if (error instanceof ModelRefused || error instanceof InputRefused)
      return { id: item.id, verdict: 'refused', reason: error.message, ms };
    return { id: item.id, verdict: 'wrong', reason: `crash: ${(error as Error).stack ?? String(error)}`, ms };
  }
}

async function judge(
  root: string,
  item: CoverageItem,
  isFloat: boolean,
): Promise<Omit<ItemResult, 'id' | 'ms'>> {
  const folder = join(root, item.id);
  const path = [item.fixed ? 'model_fixed.onnx' : '', 'model.onnx']
    .filter(Boolean)
    .map((name) => join(folder, name))
    .find(existsSync);
  if (!path)
    throw new ModelRefused({ where: 'file', what: 'format', expected: 'ONNX', got: 'no .onnx file' });
  const bytes = readFileSync(path);
  const vectors = item.vectors.map((dir): Vector => ({
    inputs: readTensors(join(folder, dir), 'input'),
    outputs: readTensors(join(folder, dir), 'output'),
  }));
  // Where the index names no shape for a symbolic dimension, the vectors do.
  const given = item.inputs.map((name, i) => [name, vectors[0]?.inputs[i]?.shape] as const);
  const known = Object.fromEntries(given.flatMap(([name, shape]) => (shape ? [[name, shape]] : [])));
  const shaped = Object.keys(item.shapes).length > 0 ? item : { ...item, shapes: known };
  const imported = await importOrQuantize(bytes, shaped, vectors, isFloat);
  const compiled = compile(imported.graph);
  const { rows, uniqueness } = { rows: compiled.r1cs.constraintCount, uniqueness: uniquenessOf(compiled) };
  if (uniqueness) return { verdict: 'wrong', reason: uniqueness, rows };
  const tally = { mismatched: 0, elements: 0, disagreeing: 0, answered: 0, labelsAgreeing: 0 };
  const session = await openSession(imported.executedModel);
  for (const vector of vectors) {
    const wrong = await runVector(imported, compiled, session, vector, item, tally);
    if (wrong) return { verdict: 'wrong', reason: wrong, rows, ...tally };
  }
  await session.release();
  return {
    verdict: tally.mismatched > 0 ? 'wrong' : 'compiled',
    ...(tally.mismatched > 0 ? { reason: 'reference differs from ONNX Runtime' } : {}),
    rows,
    vectors: vectors.length,
    ...tally,
  };
}

/** Integer models and trees are imported as they are; a float model is quantized first, calibrated on its vectors. */
async function importOrQuantize(
  bytes: Uint8Array,
  item: CoverageItem,
  vectors: readonly Vector[],
  isFloat: boolean,
): Promise<ImportedModel> {
  try {
    return importModel(bytes, { shapes: item.shapes });
  } catch (error) {
    if (!isFloat || !(error instanceof ModelRefused)) throw error;
    return importModel(await quantizedBytes(bytes, item, vectors));
  }
}

async function quantizedBytes(
  bytes: Uint8Array,
  item: CoverageItem,
  vectors: readonly Vector[],
): Promise<Uint8Array> {
  const names = item.inputs;
  const calibration = vectors.map(({ inputs }) => new Map(inputs.map((tensor, i) => [names[i]!, tensor])));
  const { model } = await quantizeModel(bytes, calibration, { shapes: item.shapes });
  return model;
}

function uniquenessOf(compiled: CompiledModel): string | undefined {
  if (compiled.r1cs.constraintCount > UNIQUENESS_ROWS) return undefined;
  const report = checkUniqueness(compiled.r1cs, { givenWires: compiled.givenWires });
  return report.ok ? undefined : `uniqueness: ${report.undetermined.length} wires undetermined`;
}

type Tally = {
  mismatched: number;
  elements: number;
  disagreeing: number;
  answered: number;
  labelsAgreeing: number;
};

async function runVector(
  imported: ImportedModel,
  compiled: CompiledModel,
  session: ort.InferenceSession,
  vector: Vector,
  item: CoverageItem,
  tally: Tally,
): Promise<string | undefined> {
  const feeds: Record<string, ort.Tensor> = {};
  const values: Record<string, ArrayLike<number>> = {};
  for (const { name, shape } of imported.graph.inputs) {
    const tensor = vector.inputs[item.inputs.indexOf(name)];
    if (!tensor) return `no vector for input "${name}"`;
    feeds[name] = toOrtTensor({ ...tensor, shape });
    values[name] = Array.from(tensor.data as ArrayLike<number | bigint>, Number);
  }
  const answer = await session.run(feeds);
  const inputs = compiled.quantizeInput(values);
  const reference = compiled.reference(inputs);
  const { witness, outputs } = compiled.computeWitness({
    inputs,
    ctx: 1n + (BigInt(tally.elements) << 64n),
    salt: 0x5a17n << 200n,
  });
  for (const [name, integers] of reference) {
    const runtime = answer[name]?.data as ArrayLike<number | bigint> | undefined;
    if (!runtime) return `the executed graph does not return "${name}"`;
    const proven = outputs.get(name)!;
    for (let i = 0; i < integers.length; i++) {
      tally.elements++;
      if (Number(runtime[i]) !== integers[i]) tally.mismatched++;
      if (proven[i] !== integers[i])
        return `the witness carries another output than the reference: ${name}[${i}]`;
    }
  }
  const checked = check(compiled.r1cs, witness, { labels: compiled.labels });
  if (!checked.ok) return `the honest witness fails a constraint: ${checked.label}`;
  compareAnswers(imported, answer, vector, tally);
  return undefined;
}

function compareAnswers(
  imported: ImportedModel,
  answer: ort.InferenceSession.OnnxValueMapType,
  vector: Vector,
  tally: Tally,
): void {
  let sameLabels = true;
  imported.graph.outputs.forEach(({ name }, k) => {
    const expected = vector.outputs[k]?.data;
    const got = (answer[name] as ort.Tensor).data as ArrayLike<number | bigint>;
    if (!expected || expected.length !== got.length) return;
    for (let i = 0; i < expected.length; i++) {
      tally.answered++;
      if (Number(expected[i]) !== Number(got[i])) tally.disagreeing++;
    }
    if (largest(expected) !== largest(got)) sameLabels = false;
  });
  if (sameLabels) tally.labelsAgreeing++;
}

function largest(values: ArrayLike<number | bigint>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
