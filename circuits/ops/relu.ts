/** Relu (ai.onnx 14, integer form): y = max(x, 0) on the stored integers. It narrows a pending clamp at no cost. */
import { constantTensor } from '../affine.js';
import * as max from '../gadgets/max.js';
import { Quantized } from '../quantized.js';
import { defineOp } from './op.js';

export const relu = defineOp<null>({
  type: 'Relu',
  domain: '',
  supports: 'int8 and uint8',

  attributes(view) {
    view.requireByte(view.operand(0, 'X'), 'X dtype');
    return null;
  },
  operands: () => [0],
  shape: (_, [x]) => [x],
  reference: (_, [x]) => [{ ...x, data: x.data.map((value) => Math.max(value, 0)) }],

  constrain({ circuit, label, types, isOnlyReader }, _, [x]) {
    const { pending } = x;
    if (pending && x.isPending && isOnlyReader(0)) {
      const narrowed = { ...pending, yMin: Math.max(pending.yMin, 0), yMax: Math.max(pending.yMax, 0) };
      return [Quantized.pending(types[0], label, narrowed)];
    }
    const values = x.force(circuit);
    const zero = constantTensor(types[0].shape, new Int32Array(values.constants.length));
    return [Quantized.of(types[0], max.constrain(circuit, values, zero))];
  },
});
