/**
 * QLinearMatMul (ai.onnx 10): y = saturate(rne(M · Σ (a − a_zp)·(b − b_zp)) + y_zp).
 * Supported: b a constant matrix [K, N], scales per tensor or per column; a of any rank ≥ 1.
 */
import { elementCount } from '../tensor.js';
import * as matMul from './mat-mul.js';
import { defineOp, integers } from './op.js';
import { outputMultipliers } from './q-linear.js';

export const qLinearMatMul = defineOp<matMul.WeightProduct & { readonly shape: readonly number[] }>({
  type: 'QLinearMatMul',
  domain: '',
  supports: 'constant right operand of rank 2, per-tensor and per-column scales',

  attributes(view) {
    const a = view.operand(0, 'a');
    const dtype = view.requireByte(a, 'a dtype');
    const b = view.constant(3, 'b');
    const bDtype = view.requireByte(b, 'b dtype');
    if (b.shape.length !== 2) view.refuse('b shape', 'of rank 2', `[${b.shape.join(',')}]`);
    const [inner, columns] = b.shape;
    if (a.shape.length < 1 || a.shape[a.shape.length - 1] !== inner) {
      view.refuse('a shape', `ending in ${inner}`, `[${a.shape.join(',')}]`);
    }
    const bZeroPoints = view.zeroPoints(5, 'b_zero_point', bDtype, columns);
    const weights = integers(b).map(
      (value, i) => value - bZeroPoints[bZeroPoints.length === 1 ? 0 : i % columns],
    );
    const multipliers = outputMultipliers(
      view,
      view.scales(1, 'a_scale')[0],
      view.scales(4, 'b_scale', columns),
      view.scales(6, 'y_scale')[0],
    );
    const outputDtype = view.requireByte(view.constant(7, 'y_zero_point'), 'y_zero_point dtype');
    return {
      rows: elementCount(a.shape) / inner,
      inner,
      columns,
      rowStride: inner,
      innerStride: 1,
      weights,
      bias: new Int32Array(0),
      zeroPoint: view.zeroPoints(2, 'a_zero_point', dtype)[0],
      output: {
        dtype: outputDtype,
        zeroPoint: view.zeroPoints(7, 'y_zero_point', outputDtype)[0],
        multipliers,
      },
      shape: [...a.shape.slice(0, -1), columns],
    };
  },

  operands: () => [0],
  shape: ({ output, shape }) => [{ dtype: output.dtype, shape }],
  reference: (product, [a], [type]) => [matMul.reference(product, a, type)],
  constrain: (context, product, [a]) => [matMul.constrain(context, product, a)],
});
