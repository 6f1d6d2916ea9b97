/** CumSum (ai.onnx 14) on int32 and int64 along a constant axis, exclusive and reverse: combinations, then carried.ts. */
import { AffineWriter } from '../affine.js';
import { axisOf } from '../onnx/node.js';
import { Quantized } from '../quantized.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { elementCount, stridesOf } from '../tensor.js';
import { requireInteger, settle, settled } from './carried.js';
import { defineOp, integers } from './op.js';

interface RunningSum {
  /** Elements added up for each output element, in the order in which they are added. */
  readonly terms: readonly Int32Array[];
}

export const cumulativeSum = defineOp<RunningSum>({
  type: 'CumSum',
  domain: '',
  supports: 'int32 and int64, constant axis',

  attributes(view) {
    const x = view.operand(0, 'x');
    requireInteger(view, x);
    const axis = axisOf(view.node, integers(view.constant(1, 'axis'))[0], x.shape.length);
    const size = x.shape[axis];
    const stride = stridesOf(x.shape)[axis];
    const isReverse = view.int('reverse', 0) === 1;
    const skipped = view.int('exclusive', 0) === 1 ? 1 : 0;
    const terms = Array.from({ length: elementCount(x.shape) }, (_, i) => {
      const at = Math.floor(i / stride) % size;
      const count = (isReverse ? size - 1 - at : at) + 1 - skipped;
      const from = isReverse ? size - 1 : 0;
      const step = isReverse ? -1 : 1;
      return Int32Array.from({ length: count }, (_unused, k) => i + (from + step * k - at) * stride);
    });
    return { terms };
  },
  operands: () => [0],
  shape: (_, [x]) => [x],

  reference({ terms }, [x], [type]) {
    const data = Int32Array.from(terms, (list) =>
      list.reduce((sum, at) => settled('CumSum', sum + x.data[at], type.dtype), 0),
    );
    return [{ ...type, data }];
  },

  constrain({ circuit, types: [type] }, { terms }, [x]) {
    const values = x.force(circuit);
    const writer = new AffineWriter();
    const sum = new LinearCombination();
    for (const list of terms) {
      let [lo, hi] = [0, 0];
      sum.clear();
      for (const at of list) {
        sum.addElement(values, at, 1);
        lo += values.lo[at];
        hi += values.hi[at];
      }
      writer.combination(sum.normalize(), lo, hi);
    }
    return [Quantized.of(type, settle(circuit, writer.finish(type.shape), type.dtype))];
  },
});
