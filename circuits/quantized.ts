import type { AffineTensor } from './affine.js';
import { ModelRefused } from './errors.js';
import {
  fitRequantization,
  fitStaircase,
  staircaseOf,
  type FloorFit,
  type RequantizationFit,
} from './import/fit.js';
import * as requantize from './gadgets/requantize.js';
import type { Requantize } from './gadgets/division-plan.js';
import type { Builder } from './r1cs/builder.js';
import type { TensorType } from './tensor.js';

/**
 * How an accumulator becomes an activation. `multiplier` is ONNX Runtime's float32 factor of the integer kernels;
 * `fit` is an integer form already checked where it was found; `valueAt` is any other non-decreasing step function (before saturation) of average slope `slope`.
 */
export type Rescaling =
  | { readonly kind: 'multiplier'; readonly multiplier: number; readonly zeroPoint: number }
  | { readonly kind: 'fit'; readonly fit: FloorFit; readonly zeroPoint: number }
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
    rows += requantize.cost(spec, lo[i], hi[i]);
  }
  return rows;
}

/** One fit a rescaling, over the joint range of its elements. */
function fitAll({ accumulator, rescalings, rescalingOf, yMin, yMax }: Pending): Requantize[] {
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
    const { zeroPoint } = rescaling;
    if (rescaling.kind === 'fit') return { fit: rescaling.fit, zeroPoint, yMin, yMax };
    if (rescaling.kind === 'multiplier') {
      const fit = integerFit(fitRequantization({ ...range, multiplier: rescaling.multiplier, zeroPoint }));
      return { fit, zeroPoint, yMin, yMax };
    }
    const clamped = (acc: number): number => Math.min(Math.max(rescaling.valueAt(acc), yMin), yMax);
    const staircase = staircaseOf(clamped, range);
    const fit = integerFit(fitStaircase({ ...staircase, slope: rescaling.slope, zeroPoint }));
    return { fit, zeroPoint, yMin, yMax };
  });
}

function integerFit(fit: RequantizationFit): Requantize['fit'] {
  if (fit.kind !== 'thresholds') return fit;
  throw new ModelRefused({
    where: 'requantization',
    what: 'scale',
    expected: 'one that an integer division reproduces',
    got: `${fit.thresholds.length} irregular thresholds`,
  });
}

function round(circuit: Builder, pending: Pending): AffineTensor {
  return requantize.constrain(circuit, pending.accumulator, fitAll(pending), pending.rescalingOf);
}
