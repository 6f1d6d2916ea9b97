/** Where (ai.onnx 16): condition ? x : y, as y + condition·(x − y). One constraint an element. */
import type { AffineTensor } from '../affine.js';
import * as product from '../gadgets/product.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
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
    const chosen = isWide(x, y)
      ? chosenApart(circuit, condition, x, y)
      : chosenByDifference(circuit, condition, x, y);
    // The result is one of the two, so their bounds bound it.
    const lo = chosen.lo.map((_, i) => Math.min(x.lo[i], y.lo[i]));
    const hi = chosen.hi.map((_, i) => Math.max(x.hi[i], y.hi[i]));
    return [Quantized.of(types[0], { ...chosen, lo, hi })];
  },
});

/** A difference beyond 31 bits fits no wire: then each side gets a product of its own. */
function isWide(x: AffineTensor, y: AffineTensor): boolean {
  return x.lo.some((_, i) => Math.max(x.hi[i] - y.lo[i], y.hi[i] - x.lo[i]) >= 2 ** 31);
}

function chosenByDifference(
  circuit: Builder,
  condition: AffineTensor,
  x: AffineTensor,
  y: AffineTensor,
): AffineTensor {
  const difference = combined([
    { tensor: x, scale: 1 },
    { tensor: y, scale: -1 },
  ]);
  const gain = product.constrain(circuit, condition, difference, elementPairs(x.constants.length));
  return combined([
    { tensor: y, scale: 1 },
    { tensor: { ...gain, shape: y.shape }, scale: 1 },
  ]);
}

/** condition·x + (1 − condition)·y, two constraints an element. */
function chosenApart(
  circuit: Builder,
  condition: AffineTensor,
  x: AffineTensor,
  y: AffineTensor,
): AffineTensor {
  const pairs = elementPairs(x.constants.length);
  const first = product.constrain(circuit, condition, x, pairs);
  const second = product.constrain(circuit, combined([{ tensor: condition, scale: -1 }], 1), y, pairs);
  return combined([
    { tensor: { ...first, shape: x.shape }, scale: 1 },
    { tensor: { ...second, shape: x.shape }, scale: 1 },
  ]);
}
