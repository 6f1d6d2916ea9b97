/** Cast (ai.onnx 13) between integer types that hold every value the operand can take: the same wires. */
import { Quantized } from '../quantized.js';
import { dtypeRange } from '../tensor.js';
import type { Dtype } from '../onnx/graph.js';
import { defineOp } from './op.js';

const DTYPE_CODES: Readonly<Record<number, Dtype>> = {
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  9: 'bool',
};

interface Cast {
  readonly where: string;
  readonly dtype: Dtype;
}

/** int64 values are carried as integers of at most 32 bits here. */
const rangeOf = (dtype: Dtype) => dtypeRange(dtype === 'int64' ? 'int32' : dtype)!;

export const cast = defineOp<Cast>({
  type: 'Cast',
  domain: '',
  supports: 'integer types; the values must fit',

  attributes(view) {
    const dtype = DTYPE_CODES[view.int('to', 0)];
    if (!dtype) view.refuse('to', 'an integer type of at most 64 bits', `type ${view.int('to', 0)}`);
    if (!rangeOf(view.operand(0, 'input').dtype))
      view.refuse('input dtype', 'an integer type', view.operand(0, 'input').dtype);
    return { where: view.where, dtype };
  },
  operands: () => [0],
  shape: ({ dtype }, [x]) => [{ dtype, shape: x.shape }],

  reference({ where, dtype }, [x], [type]) {
    const { min, max } = rangeOf(dtype);
    for (const value of x.data)
      if (value < min || value > max) throw new RangeError(`${where}: ${value} does not fit ${dtype}`);
    return [{ ...type, data: x.data }];
  },

  constrain({ circuit, types }, { where, dtype }, [x]) {
    const values = x.force(circuit);
    const { min, max } = rangeOf(dtype);
    for (let i = 0; i < values.lo.length; i++) {
      if (values.lo[i] < min || values.hi[i] > max) {
        throw new RangeError(`${where}: [${values.lo[i]}, ${values.hi[i]}] does not fit ${dtype}`);
      }
    }
    return [Quantized.of(types[0], values)];
  },
});
