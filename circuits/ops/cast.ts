/**
 * Cast (ai.onnx 13) between integer types: the low bits that the target keeps, as ONNX Runtime does; to bool: not zero.
 * Of uint32 and 64-bit types only values inside int32 are carried (carried.ts), so a negative value cast to uint32 is
 * refused for the inference.
 */
import { Quantized } from '../quantized.js';
import { dtypeRange } from '../tensor.js';
import type { Dtype } from '../onnx/graph.js';
import { settle, settled } from './carried.js';
import { notZero } from './not-zero.js';
import { defineOp } from './op.js';

const DTYPE_CODES: Readonly<Record<number, Dtype>> = {
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  12: 'uint32',
  13: 'uint64',
};

export const cast = defineOp<Dtype>({
  type: 'Cast',
  domain: '',
  supports: 'integer types and bool; wraps around',

  attributes(view) {
    const dtype = DTYPE_CODES[view.int('to', 0)];
    if (!dtype) view.refuse('to', 'an integer type of at most 64 bits', `type ${view.int('to', 0)}`);
    if (!dtypeRange(view.operand(0, 'input').dtype))
      view.refuse('input dtype', 'an integer type', view.operand(0, 'input').dtype);
    return dtype;
  },
  operands: () => [0],
  shape: (dtype, [x]) => [{ dtype, shape: x.shape }],

  reference(dtype, [x], [type]) {
    const to = (value: number) => (dtype === 'bool' ? Number(value !== 0) : settled('Cast', value, dtype));
    return [{ ...type, data: x.data.map(to) }];
  },

  constrain({ circuit, types }, dtype, [x]) {
    const values = x.force(circuit);
    const result =
      dtype === 'bool' && x.type.dtype !== 'bool' ? notZero(circuit, values) : settle(circuit, values, dtype);
    return [Quantized.of(types[0], result)];
  },
});
