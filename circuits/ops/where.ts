/** Where (ai.onnx 16): condition ? x : y, as y + condition·(x − y). One constraint an element; none where both agree. */
import * as product from '../gadgets/product.js';
import { Quantized } from '../quantized.js';
import { combined, elementPairs, jointShape, spread, spreadIntegers } from './elementwise.js';
import { defineOp } from './op.js';

export const where = defineOp<{ shape: readonly number[] }>({
  type: 'Where',
  domain: '',
  supports: 'integer tensors of up to 32 bits, bool condition',

  attributes(view) {
    const condition = view.operand(0, 'condition');
    if (condition.dtype !== 'bool') view.refuse('condition dtype', 'bool', condition.dtype);
    return { shape: jointShape(view) };
  },
  operands: () => [0, 1, 2],
  shape: ({ shape }, [, x]) => [{ dtype: x.dtype, shape }],

  reference(_, inputs, [type]) {
    const [condition, x, y] = inputs.map((input) => spreadIntegers(input, type.shape));
    return [{ ...type, data: condition.map((chosen, i) => (chosen === 1 ? x[i] : y[i])) }];
  },

  constrain({ circuit, types }, _, inputs) {
    const [condition, x, y] = inputs.map((input) => spread(input.force(circuit), types[0].shape));
    const difference = combined([
      { tensor: x, scale: 1 },
      { tensor: y, scale: -1 },
    ]);
    const gain = product.constrain(circuit, condition, difference, elementPairs(x.constants.length));
    const chosen = combined([
      { tensor: y, scale: 1 },
      { tensor: { ...gain, shape: y.shape }, scale: 1 },
    ]);
    // The result is one of the two, so their bounds bound it.
    const lo = chosen.lo.map((_, i) => Math.min(x.lo[i], y.lo[i]));
    const hi = chosen.hi.map((_, i) => Math.max(x.hi[i], y.hi[i]));
    return [Quantized.of(types[0], { ...chosen, lo, hi })];
  },
});
