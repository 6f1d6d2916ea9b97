import { concatenated, gathered, type AffineTensor } from './affine.js';
import * as bins from './gadgets/bins.js';
import {
  fitRequantization,
  fitStaircase,
  requantizeFloat,
  staircaseOf,
  type FloorFit,
  type HalfEvenFit,
  type RequantizationFit,
  type ThresholdFit,
} from './import/fit.js';
import * as requantize from './gadgets/requantize.js';
import type { Requantize } from './gadgets/division-plan.js';
import type { Builder } from './r1cs/builder.js';
import type { TensorType } from './tensor.js';

/**
 * How an accumulator becomes an activation. `multiplier` is ONNX Runtime's float32 factor of the integer kernels;
 * `fit` is an integer form already checked where it was found; `valueAt` is any other non-decreasing step function
 * (before saturation) of average slope `slope`.
 */
export type Rescaling =
  | { readonly kind: 'multiplier'; readonly multiplier: number; readonly zeroPoint: number }
  | { readonly kind: 'fit'; readonly fit: FloorFit | HalfEvenFit; readonly zeroPoint: number }
  | {
      readonly kind: 'steps';
      readonly slope: number;
      readonly zeroPoint: number;
      readonly valueAt: (accumulator: number) => number;
    };

/** An activation not yet rounded: its accumulator, and the rescaling of each element. */
export interface Pending {
  readonly accumulator: AffineTensor;
  readonly rescalings: readonly Rescaling[];
  /** Index into rescalings of element i. */
  readonly rescalingOf: (index: number) => number;
  /** Saturation range, already narrowed by a following Relu or Clip. */
  readonly yMin: number;
  readonly yMax: number;
}

/**
 * A tensor of the executed graph on its way through the compiler. Rounding is put off until a value is needed:
 * Relu only raises the lower clamp, and MaxPool commutes with every non-decreasing rounding.
 */
export class Quantized {
  private forced: AffineTensor | undefined;

  private constructor(
    readonly type: TensorType,
    private readonly label: string,
    readonly pending: Pending | undefined,
    affine: AffineTensor | undefined,
  ) {
    this.forced = affine;
  }

  static of(type: TensorType, affine: AffineTensor): Quantized {
    return new Quantized(type, '', undefined, affine);
  }

  static pending(type: TensorType, label: string, pending: Pending): Quantized {
    return new Quantized(type, label, pending, undefined);
  }

  /** Still only an accumulator: nothing has asked for the rounded value. */
  get isPending(): boolean {
    return this.forced === undefined;
  }

  /** The values as combinations of wires; emits the requantization the first time. */
  force(circuit: Builder): AffineTensor {
    return (this.forced ??= circuit.scope(`${this.label}: rounding`, () => round(circuit, this.pending!)));
  }
}

/** Rows that rounding a pending tensor would take. */
export function roundingCost(pending: Pending): number {
  const specs = fitAll(pending);
  const { lo, hi } = pending.accumulator;
  let rows = 0;
  for (let i = 0; i < lo.length; i++) {
    const spec = specs[pending.rescalingOf(i)];
    rows += isDivision(spec) ? requantize.cost(spec, lo[i], hi[i]) : bins.cost(spec.fit, lo[i], hi[i]);
  }
  return rows;
}

type Fitted = Requantize | (Omit<Requantize, 'fit'> & { readonly fit: ThresholdFit });

function isDivision(spec: Fitted): spec is Requantize {
  return spec.fit.kind !== 'thresholds';
}

/** One fit a rescaling, over the joint range of its elements. */
function fitAll({ accumulator, rescalings, rescalingOf, yMin, yMax }: Pending): Fitted[] {
  const accMin = new Float64Array(rescalings.length).fill(Infinity);
  const accMax = new Float64Array(rescalings.length).fill(-Infinity);
  for (let i = 0; i < accumulator.lo.length; i++) {
    const k = rescalingOf(i);
    if (accumulator.lo[i] < accMin[k]) accMin[k] = accumulator.lo[i];
    if (accumulator.hi[i] > accMax[k]) accMax[k] = accumulator.hi[i];
  }
  return rescalings.map((rescaling, k) => {
    const range = { accMin: accMin[k], accMax: accMax[k], yMin, yMax };
    if (range.accMin > range.accMax) range.accMin = range.accMax = 0; // no element uses this channel
    const fit = cachedFit(rescaling, range);
    return { fit, zeroPoint: rescaling.zeroPoint, yMin, yMax } as Fitted;
  });
}

interface Range {
  readonly accMin: number;
  readonly accMax: number;
  readonly yMin: number;
  readonly yMax: number;
}

/** The same fit is asked for when costs are compared and when rows are written. */
const fits = new WeakMap<Rescaling, Map<string, RequantizationFit>>();

function cachedFit(rescaling: Rescaling, range: Range): RequantizationFit {
  const known = fits.get(rescaling) ?? new Map<string, RequantizationFit>();
  fits.set(rescaling, known);
  const key = `${range.accMin} ${range.accMax} ${range.yMin} ${range.yMax}`;
  const fit = known.get(key) ?? fitOne(rescaling, range);
  known.set(key, fit);
  return fit;
}

function fitOne(rescaling: Rescaling, range: Range): RequantizationFit {
  const { zeroPoint } = rescaling;
  const levels = range.yMax - range.yMin + 1;
  // The half-even gadget reads the parity off a power of two of levels; other clamps take the staircase.
  const hasParity = Number.isInteger(Math.log2(levels));
  if (rescaling.kind === 'fit') {
    const { fit } = rescaling;
    if (fit.kind !== 'halfEven' || hasParity) return fit;
    const { first, thresholds } = staircaseOf(
      (acc) => requantize.reference({ fit, ...range, zeroPoint }, acc),
      range,
    );
    return { kind: 'thresholds', first, thresholds };
  }
  if (rescaling.kind === 'steps') {
    const clamped = (acc: number) => Math.min(Math.max(rescaling.valueAt(acc), range.yMin), range.yMax);
    return fitStaircase({ ...staircaseOf(clamped, range), slope: rescaling.slope, zeroPoint });
  }
  const requantization = { ...range, multiplier: rescaling.multiplier, zeroPoint };
  const fit = fitRequantization(requantization);
  if (fit.kind !== 'halfEven' || hasParity) return fit;
  const { first, thresholds } = staircaseOf((acc) => requantizeFloat(requantization, acc), range);
  return { kind: 'thresholds', first, thresholds };
}

/** Divisions together, each irregular staircase by itself; the elements come back in their places. */
function round(circuit: Builder, pending: Pending): AffineTensor {
  const { accumulator, rescalingOf } = pending;
  const specs = fitAll(pending);
  const divisions = specs.map((spec) => (isDivision(spec) ? spec : undefined));
  if (divisions.every((spec) => spec !== undefined)) {
    return requantize.constrain(circuit, accumulator, divisions, rescalingOf);
  }
  const members: number[][] = Array.from({ length: specs.length + 1 }, () => []);
  for (let i = 0; i < accumulator.lo.length; i++) {
    const k = rescalingOf(i);
    members[divisions[k] ? specs.length : k].push(i);
  }
  const place = new Int32Array(accumulator.lo.length);
  const parts: AffineTensor[] = [];
  let placed = 0;
  members.forEach((indices, k) => {
    if (indices.length === 0) return;
    const part = gathered(accumulator, [indices.length], indices);
    const spec = specs[k];
    parts.push(
      spec !== undefined && !isDivision(spec)
        ? bins.constrain(circuit, part, spec.fit)
        : requantize.constrain(circuit, part, divisions as Requantize[], (i) => rescalingOf(indices[i])),
    );
    for (const index of indices) place[index] = placed++;
  });
  return gathered(concatenated(parts), accumulator.shape, place);
}
