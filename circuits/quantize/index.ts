/** `quantizeModel`: float ONNX bytes and calibration inputs → int8 ONNX bytes on the lattice, and how good they are. */
import { createHash } from 'node:crypto';
import { compile } from '../index.js';
import { importModel } from '../import/import.js';
import { encodeGraph } from '../onnx/encode.js';
import { loadGraph, type LoadOptions } from '../onnx/load.js';
import type { CalibrationInput } from './calibrate.js';
import type { QuantizeOptions } from './emitter.js';
import { type Evaluation, evaluateQuantized } from './evaluate.js';
import { quantizeGraph } from './quantize-graph.js';
import { ANSWERS_KEY } from '../answer-record.js';
import { ModelRefused } from '../errors.js';
import { type QuantizationRecord, RECORD_KEY, toPpm } from '../quantization-record.js';

export type { CalibrationInput } from './calibrate.js';
export type { CalibrationMethod } from './lattice.js';
export type { Evaluation, LayerFidelity } from './evaluate.js';
export type { QuantizeOptions } from './emitter.js';

export interface QuantizeModelOptions extends Partial<QuantizeOptions> {
  /** Full shapes for symbolic dimensions, by input name. */
  readonly shapes?: NonNullable<LoadOptions['shapes']>;
  /** Inputs to measure on, with labels where there are any; the calibration inputs without labels otherwise. */
  readonly evaluation?: { readonly inputs: readonly CalibrationInput[]; readonly labels?: readonly number[] };
}

export interface CostEstimate {
  readonly rows: number;
  /** log2 of the proving domain. */
  readonly domainPower: number;
  readonly keyBytes: number;
  /** Seconds of two cores, by engine. */
  readonly provingSeconds: { readonly native: number; readonly snarkjs: number };
}

export interface QuantizeReport {
  readonly options: QuantizeOptions;
  readonly calibrationSamples: number;
  readonly evaluation: Evaluation;
  /** Null, with the reason, where the compiler refuses the quantized model. */
  readonly cost: CostEstimate | null;
  readonly refusal: string | null;
}

export interface QuantizedModel {
  readonly model: Uint8Array;
  readonly report: QuantizeReport;
}

/** b ≤ 511 loses nothing measurable against larger divisors on the models of this repository; see models/README.md. */
export const DEFAULT_OPTIONS: QuantizeOptions = { bits: 8, method: 'mse', divisorMax: 511 };

/**
 * @param bytes a float32 ONNX model.
 * @param calibration inputs like those the model will see; at least one, a hundred is plenty.
 * Throws ModelRefused for a model or an option that cannot be quantized.
 */
export async function quantizeModel(
  bytes: Uint8Array,
  calibration: readonly CalibrationInput[],
  { shapes, evaluation, ...given }: QuantizeModelOptions = {},
): Promise<QuantizedModel> {
  const options = checkOptions({ ...DEFAULT_OPTIONS, ...given }, calibration.length);
  const graph = loadGraph(bytes, shapes ? { shapes } : {});
  refuseQuantized(bytes, shapes);
  const quantized = await quantizeGraph(graph, calibration, options);
  const measured = await evaluateQuantized(
    graph,
    quantized,
    evaluation?.inputs ?? calibration,
    evaluation?.labels,
  );
  const answers = graph.metadata?.get(ANSWERS_KEY);
  const metadata = new Map([
    [RECORD_KEY, JSON.stringify(recordOfEvaluation(bytes, measured))],
    ...(answers === undefined ? [] : [[ANSWERS_KEY, answers] as const]),
  ]);
  const model = encodeGraph({ ...quantized.graph, metadata });
  const { cost, refusal } = estimateCost(model);
  const report = { options, calibrationSamples: calibration.length, evaluation: measured, cost, refusal };
  return { model, report };
}

/** Trees and models that are quantized already are proved as they are: rounding them again would only lose. */
function refuseQuantized(bytes: Uint8Array, shapes: LoadOptions['shapes']): void {
  try {
    importModel(bytes, shapes ? { shapes } : {});
  } catch (error) {
    if (error instanceof ModelRefused) return;
    throw error;
  }
  throw new ModelRefused({
    where: 'quantize',
    what: 'model',
    expected: 'a float model',
    got: 'one that needs no quantization and can be proved as it is (next: verinfer compile, then verinfer setup)',
  });
}

function recordOfEvaluation(bytes: Uint8Array, measured: Evaluation): QuantizationRecord {
  const { samples, agreement, floatAccuracy, int8Accuracy } = measured;
  return {
    floatModel: createHash('sha256').update(bytes).digest('hex'),
    samples,
    agreementPpm: toPpm(agreement),
    ...(floatAccuracy !== null && { floatAccuracyPpm: toPpm(floatAccuracy) }),
    ...(int8Accuracy !== null && { int8AccuracyPpm: toPpm(int8Accuracy) }),
  };
}

function checkOptions(options: QuantizeOptions, samples: number): QuantizeOptions {
  const demand = (holds: boolean, what: string, expected: string, got: unknown): void => {
    if (!holds) throw new ModelRefused({ where: 'quantize', what, expected, got: String(got) });
  };
  const { bits, divisorMax, method } = options;
  demand(Number.isInteger(bits) && bits >= 4 && bits <= 8, 'bits', 'an integer from 4 to 8', bits);
  demand(['minmax', 'percentile', 'mse'].includes(method), 'method', 'minmax, percentile or mse', method);
  const isOdd = Number.isInteger(divisorMax) && divisorMax % 2 === 1;
  demand(isOdd && divisorMax >= 1 && divisorMax <= 32767, 'divisorMax', 'odd, from 1 to 32767', divisorMax);
  demand(samples > 0, 'calibration', 'at least one input', samples);
  return options;
}

/** A zkey holds per wire three G1 and one G2 point, per domain element one G1 point, per A or B entry 44 bytes. */
const BYTES_PER_WIRE = 4 * 64 + 64;
const BYTES_PER_DOMAIN_ELEMENT = 64;
const BYTES_PER_ENTRY = 44;
/** Seconds per domain element on two cores of the machine of docs/performance: native engine, snarkjs warm. */
const NATIVE_SECONDS = 5e-6;
const SNARKJS_SECONDS = 57e-6;

function estimateCost(model: Uint8Array): { cost: CostEstimate | null; refusal: string | null } {
  try {
    const { r1cs } = compile(importModel(model).graph);
    const domainPower = Math.ceil(Math.log2(r1cs.constraintCount + r1cs.publicCount + 1));
    const domain = 2 ** domainPower;
    const entries = r1cs.a.wires.length + r1cs.b.wires.length + r1cs.publicCount + 1;
    const keyBytes =
      r1cs.wireCount * BYTES_PER_WIRE + domain * BYTES_PER_DOMAIN_ELEMENT + entries * BYTES_PER_ENTRY;
    const provingSeconds = { native: domain * NATIVE_SECONDS, snarkjs: domain * SNARKJS_SECONDS };
    return { cost: { rows: r1cs.constraintCount, domainPower, keyBytes, provingSeconds }, refusal: null };
  } catch (error) {
    if (!(error instanceof ModelRefused)) throw error;
    return { cost: null, refusal: error.message };
  }
}
