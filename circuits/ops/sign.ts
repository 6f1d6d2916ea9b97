/** Sign (ai.onnx 13) on integers: [x ≥ 0] + [x ≥ 1] − 1. */
import * as atLeast from '../gadgets/at-least.js';
import { Quantized } from '../quantized.js';
import { requireInteger } from './carried.js';
import { combined } from './elementwise.js';
import { defineOp } from './op.js';

export const sign = defineOp<null>({
  type: 'Sign',
  domain: '',
  supports: 'integer types',
  attributes(view) {
    requireInteger(view, view.operand(0, 'input'));
    return null;
  },
  operands: () => [0],
  shape: (_, [x]) => [x],
  reference: (_, [x]) => [{ ...x, data: x.data.map(Math.sign) }],
  constrain({ circuit, types }, _, [x]) {
    const values = x.force(circuit);
    const flags = [0, -1].map((offset) =>
      atLeast.constrain(circuit, combined([{ tensor: values, scale: 1 }], offset)),
    );
    const terms = flags.map((tensor) => ({ tensor, scale: 1 }));
    return [Quantized.of(types[0], combined(terms, -1))];
  },
});
