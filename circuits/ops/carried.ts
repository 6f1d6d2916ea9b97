/**
 * What integer results become of sums and products. Types of at most 32 bits with a sign, and those below 32 bits,
 * wrap around as ONNX Runtime's do. Of uint32, int64 and uint64 only the values that fit int32 are carried: a result
 * beyond those is refused for the inference, in the reference and by a range check in the circuit.
 */
import type { AffineTensor } from '../affine.js';
import { AffineWriter } from '../affine.js';
import { InputRefused } from '../errors.js';
import * as product from '../gadgets/product.js';
import { rangeCheck } from '../gadgets/range.js';
import * as wideProduct from '../gadgets/wide-product.js';
import * as wrap from '../gadgets/wrap.js';
import type { Dtype } from '../onnx/graph.js';
import type { Builder } from '../r1cs/builder.js';
import { dtypeRange } from '../tensor.js';
import { elementPairs } from './elementwise.js';
import type { NodeView } from './op.js';

const PARTLY_CARRIED: readonly Dtype[] = ['uint32', 'int64', 'uint64'];

/** The range that a result has to end in, and whether it wraps around into it. */
export function targetOf(dtype: Dtype): wideProduct.Target {
  return { ...dtypeRange(dtype)!, wraps: !PARTLY_CARRIED.includes(dtype) };
}

export function requireInteger(view: NodeView, { dtype }: { readonly dtype: Dtype }): void {
  if (!dtypeRange(dtype) || dtype === 'bool') view.refuse('dtype', 'an integer type', dtype);
}

/** An integer result as the type carries it. */
export function settled(type: string, value: number, dtype: Dtype): number {
  const target = targetOf(dtype);
  if (target.wraps) return wrap.reference(value, target);
  return carried(type, value >= target.min && value <= target.max ? value : undefined, value, dtype);
}

/** x·y as the type carries it, exact beyond 2^53. */
export function settledProduct(type: string, x: number, y: number, dtype: Dtype): number {
  return carried(type, wideProduct.reference(x, y, targetOf(dtype)), x * y, dtype);
}

function carried(type: string, result: number | undefined, got: number, dtype: Dtype): number {
  if (result !== undefined) return result;
  const { min, max } = dtypeRange(dtype)!;
  throw new InputRefused({
    where: `operator ${type}`,
    what: `${dtype} result`,
    expected: `from ${min} to ${max}`,
    got: String(got),
  });
}

/** Elements brought into the range of the type: wrapped, or proven to lie in it. */
export function settle(circuit: Builder, x: AffineTensor, dtype: Dtype): AffineTensor {
  const target = targetOf(dtype);
  if (target.wraps) return wrap.constrain(circuit, x, target);
  const { min, max } = target;
  const open = new AffineWriter();
  const closed = new AffineWriter();
  for (let i = 0; i < x.lo.length; i++) {
    const isInside = x.lo[i] >= min && x.hi[i] <= max;
    if (x.lo[i] > max || x.hi[i] < min)
      throw new RangeError(`[${x.lo[i]}, ${x.hi[i]}] lies outside ${dtype}`);
    if (!isInside) open.copy(x, i);
    for (let k = x.starts[i]; k < x.starts[i + 1]; k++) closed.term(x.wires[k], x.coefficients[k]);
    closed.end(x.constants[i], Math.max(x.lo[i], min), Math.min(x.hi[i], max));
  }
  const unproven = open.finish([]);
  if (unproven.lo.length > 0) rangeCheck(circuit, 'carried', unproven, min, max - min + 1);
  return closed.finish(x.shape);
}

/** Element-wise products brought into the range of the type: on int32 wires where all of them fit. */
export function settleProduct(
  circuit: Builder,
  x: AffineTensor,
  y: AffineTensor,
  dtype: Dtype,
): AffineTensor {
  const fits = x.lo.every((_, i) => {
    const most = Math.max(-x.lo[i], x.hi[i]) * Math.max(-y.lo[i], y.hi[i]);
    return most < 2 ** 31;
  });
  if (!fits) return wideProduct.constrain(circuit, x, y, targetOf(dtype));
  const products = product.constrain(circuit, x, y, elementPairs(x.lo.length));
  return settle(circuit, { ...products, shape: x.shape }, dtype);
}
