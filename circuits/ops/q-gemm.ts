/**
 * QGemm (com.microsoft 1): y = saturate(rne(M · (Σ (a − a_zp)·(b − b_zp) + C)) + y_zp), M = f32(f32(alpha·sa·sb)/sy).
 * Supported: constant B and C, transA, transB, alpha = 1, scales per tensor or per column. Refused: float output.
 */
import * as matMul from './mat-mul.js';
import { defineOp, integers } from './op.js';
import { outputMultipliers } from './q-linear.js';

export const qGemm = defineOp<matMul.WeightProduct>({
  type: 'QGemm',
  domain: 'com.microsoft',
  supports: 'constant B and C, transA, transB, alpha 1, requantized output',

  attributes(view) {
    const a = view.operand(0, 'A');
    const dtype = view.requireByte(a, 'A dtype');
    const b = view.constant(3, 'B');
    const bDtype = view.requireByte(b, 'B dtype');
    if (a.shape.length !== 2) view.refuse('A shape', 'of rank 2', `[${a.shape.join(',')}]`);
    if (b.shape.length !== 2) view.refuse('B shape', 'of rank 2', `[${b.shape.join(',')}]`);
    if (view.float('alpha', 1) !== 1) view.refuse('alpha', '1', `${view.float('alpha', 1)}`);
    const transA = view.int('transA', 0) === 1;
    const transB = view.int('transB', 0) === 1;
    const [rows, inner] = transA ? [a.shape[1], a.shape[0]] : a.shape;
    const columns = transB ? b.shape[0] : b.shape[1];
    if ((transB ? b.shape[1] : b.shape[0]) !== inner) {
      view.refuse('B shape', `${inner} inner elements`, `[${b.shape.join(',')}]`);
    }
    const bZeroPoints = view.zeroPoints(5, 'b_zero_point', bDtype, columns);
    const raw = integers(b);
    const weights = new Int32Array(inner * columns);
    for (let k = 0; k < inner; k++) {
      for (let column = 0; column < columns; column++) {
        const value = transB ? raw[column * inner + k] : raw[k * columns + column];
        weights[k * columns + column] = value - bZeroPoints[bZeroPoints.length === 1 ? 0 : column];
      }
    }
    const bias = view.hasOperand(6) ? integers(view.constant(6, 'C')) : new Int32Array(0);
    if (![0, 1, columns, rows * columns].includes(bias.length)) {
      view.refuse('C', `${columns} values`, `${bias.length}`);
    }
    if (!view.hasOperand(7)) view.refuse('y_scale', 'present (requantized output)', 'none');
    const multipliers = outputMultipliers(
      view,
      view.scales(1, 'a_scale')[0],
      view.scales(4, 'b_scale', columns),
      view.scales(7, 'y_scale')[0],
    );
    const outputZeroPoint = view.hasOperand(8) ? view.constant(8, 'y_zero_point') : undefined;
    const outputDtype = outputZeroPoint ? view.requireByte(outputZeroPoint, 'y_zero_point dtype') : dtype;
    return {
      rows,
      inner,
      columns,
      rowStride: transA ? 1 : inner,
      innerStride: transA ? rows : 1,
      weights,
      bias,
      zeroPoint: view.zeroPoints(2, 'a_zero_point', dtype)[0],
      output: {
        dtype: outputDtype,
        zeroPoint: view.zeroPoints(8, 'y_zero_point', outputDtype)[0],
        multipliers,
      },
    };
  },

  operands: () => [0],
  shape: ({ output, rows, columns }) => [{ dtype: output.dtype, shape: [rows, columns] }],
  reference: (product, [a], [type]) => [matMul.reference(product, a, type)],
  constrain: (context, product, [a]) => [matMul.constrain(context, product, a)],
});
