/** What QLinearMatMul and QGemm share: a matrix of activations times a constant matrix, then a requantization. */
import { Quantized } from '../quantized.js';
import { dtypeRange, type IntTensor, type TensorType } from '../tensor.js';
import { InnerProducts } from './inner-product.js';
import type { ConstrainContext } from './op.js';
import { outputRescalings, requantizeReference, type OutputQuantization } from './q-linear.js';

export interface WeightProduct {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** Index of x[row, k] = row·rowStride + k·innerStride. */
  readonly rowStride: number;
  readonly innerStride: number;
  /** w − w_zp, [inner, columns]. */
  readonly weights: Int32Array;
  /** [rows or 1, columns], or empty. */
  readonly bias: Int32Array;
  readonly zeroPoint: number;
  readonly output: OutputQuantization;
}

function biasAt({ bias, columns }: WeightProduct, row: number, column: number): number {
  if (bias.length === 0) return 0;
  if (bias.length === 1) return bias[0];
  return bias.length === columns ? bias[column] : bias[row * columns + column];
}

export function reference(p: WeightProduct, x: IntTensor, type: TensorType): IntTensor {
  const data = new Int32Array(p.rows * p.columns);
  for (let row = 0; row < p.rows; row++) {
    for (let column = 0; column < p.columns; column++) {
      let sum = biasAt(p, row, column);
      for (let k = 0; k < p.inner; k++) {
        sum +=
          (x.data[row * p.rowStride + k * p.innerStride] - p.zeroPoint) * p.weights[k * p.columns + column];
      }
      data[row * p.columns + column] = requantizeReference(p.output, column, sum);
    }
  }
  return { ...type, data };
}

export function constrain(
  { circuit, label, types }: ConstrainContext,
  p: WeightProduct,
  x: Quantized,
): Quantized {
  const products = new InnerProducts(x.force(circuit));
  for (let row = 0; row < p.rows; row++) {
    for (let column = 0; column < p.columns; column++) {
      for (let k = 0; k < p.inner; k++) {
        const weight = p.weights[k * p.columns + column];
        if (weight !== 0) products.add(row * p.rowStride + k * p.innerStride, weight, p.zeroPoint);
      }
      products.end(biasAt(p, row, column));
    }
  }
  const { min, max } = dtypeRange(p.output.dtype)!;
  const perColumn = p.output.multipliers.length > 1;
  return Quantized.pending(types[0], label, {
    accumulator: products.finish(types[0].shape),
    rescalings: outputRescalings(p.output),
    rescalingOf: (i) => (perColumn ? i % p.columns : 0),
    yMin: min,
    yMax: max,
  });
}
