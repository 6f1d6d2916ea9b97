/**
 * QLinearMatMul (ai.onnx 10): y = saturate(rne(M · Σ (a − a_zp)·(b − b_zp)) + y_zp).
 * Supported: b a constant matrix [K, N] with scales per tensor or per column and a of any rank; or two activations of
 * rank 2 and more with broadcast batches, scales per tensor.
 */
import { elementCount } from '../tensor.js';
import * as activations from './activation-product.js';
import * as matMul from './mat-mul.js';
import { defineOp, integers, type NodeView } from './op.js';
import { outputMultipliers, type OutputQuantization } from './q-linear.js';

type Product =
  | { readonly kind: 'weights'; readonly product: matMul.WeightProduct; readonly shape: readonly number[] }
  | {
      readonly kind: 'activations';
      readonly product: activations.ActivationProduct;
      readonly shape: readonly number[];
    };

export const qLinearMatMul = defineOp<Product>({
  type: 'QLinearMatMul',
  domain: '',
  supports: 'constant or computed right operand; per-tensor scales, per-column with constant matrices',

  attributes(view) {
    const a = view.operand(0, 'a');
    const b = view.operand(3, 'b');
    const aZeroPoint = view.zeroPoints(2, 'a_zero_point', view.requireByte(a, 'a dtype'))[0];
    const columns = b.shape[b.shape.length - 1] ?? 0;
    const bZeroPoints = view.zeroPoints(5, 'b_zero_point', view.requireByte(b, 'b dtype'), columns);
    const output = outputOf(view, columns);
    if (!b.constant || b.shape.length !== 2 || a.constant) {
      if (bZeroPoints.length > 1) view.refuse('b_zero_point', 'one value', `${bZeroPoints.length}`);
      if (output.multipliers.length > 1)
        view.refuse('scales', 'per tensor for two activations', 'per column');
      const matrices = activations.matrixProduct(view, a.shape, b.shape);
      const product = { matrices, zeroPoints: [aZeroPoint, bZeroPoints[0]] as const, output };
      return { kind: 'activations', product, shape: matrices.shape };
    }
    const [inner] = b.shape;
    if (a.shape.length < 1 || a.shape[a.shape.length - 1] !== inner) {
      view.refuse('a shape', `ending in ${inner}`, `[${a.shape.join(',')}]`);
    }
    const weights = integers(b.constant).map(
      (value, i) => value - bZeroPoints[bZeroPoints.length === 1 ? 0 : i % columns],
    );
    const product = {
      rows: elementCount(a.shape) / inner,
      inner,
      columns,
      rowStride: inner,
      innerStride: 1,
      weights,
      bias: new Int32Array(0),
      zeroPoint: aZeroPoint,
      output,
    };
    return { kind: 'weights', product, shape: [...a.shape.slice(0, -1), columns] };
  },

  operands: ({ kind }) => (kind === 'weights' ? [0] : [0, 3]),
  shape: ({ product, shape }) => [{ dtype: product.output.dtype, shape }],

  reference: ({ kind, product }, inputs, [type]) => [
    kind === 'weights'
      ? matMul.reference(product as matMul.WeightProduct, inputs[0], type)
      : activations.reference(product as activations.ActivationProduct, inputs, type),
  ],

  constrain: (context, { kind, product }, inputs) => [
    kind === 'weights'
      ? matMul.constrain(context, product as matMul.WeightProduct, inputs[0])
      : activations.constrain(context, product as activations.ActivationProduct, inputs),
  ],
});

function outputOf(view: NodeView, columns: number): OutputQuantization {
  const multipliers = outputMultipliers(
    view,
    view.scales(1, 'a_scale')[0],
    view.scales(4, 'b_scale', columns),
    view.scales(6, 'y_scale')[0],
  );
  const dtype = view.requireByte(view.constant(7, 'y_zero_point'), 'y_zero_point dtype');
  return { dtype, zeroPoint: view.zeroPoints(7, 'y_zero_point', dtype)[0], multipliers };
}
