/** CumSum (ai.onnx 14) on int32 and int64 along a constant axis, exclusive and reverse: combinations, then carried.ts. */
import { AffineWriter } from '../affine.js';
import { axisOf } from '../onnx/node.js';
import { Quantized } from '../quantized.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { elementCount, stridesOf } from '../tensor.js';
import { requireInteger, settle, settled } from './carried.js';
import { defineOp, integers } from './op.js';

interface RunningSum {
  /** The first element added for each output element, the way to the next one, and how many there are. */
  readonly from: Int32Array;
  readonly step: number;
  readonly counts: Int32Array;
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
    const at = (i: number) => Math.floor(i / stride) % size;
    const elements = Int32Array.from({ length: elementCount(x.shape) }, (_, i) => i);
    return {
      from: elements.map((i) => i + ((isReverse ? size - 1 : 0) - at(i)) * stride),
      step: isReverse ? -stride : stride,
      counts: elements.map((i) => (isReverse ? size - 1 - at(i) : at(i)) + 1 - skipped),
    };
  },
  operands: () => [0],
  shape: (_, [x]) => [x],

  reference({ from, step, counts }, [x], [type]) {
    const data = from.map((first, i) => {
      let sum = 0;
      for (let k = 0; k < counts[i]; k++) sum = settled('CumSum', sum + x.data[first + k * step], type.dtype);
      return sum;
    });
    return [{ ...type, data }];
  },

  constrain({ circuit, types: [type] }, { from, step, counts }, [x]) {
    const values = x.force(circuit);
    const writer = new AffineWriter();
    const sum = new LinearCombination();
    for (let i = 0; i < from.length; i++) {
      let [lo, hi] = [0, 0];
      sum.clear();
      for (let k = 0; k < counts[i]; k++) {
        const at = from[i] + k * step;
        sum.addElement(values, at, 1);
        lo += values.lo[at];
        hi += values.hi[at];
      }
      writer.combination(sum.normalize(), lo, hi);
    }
    return [Quantized.of(type, settle(circuit, writer.finish(type.shape), type.dtype))];
  },
});
