/**
 * BitShift (ai.onnx 11) of unsigned integers: to the left x·2ʸ modulo 2ⁿ, to the right the quotient of x by 2ʸ. The
 * power comes from a one-hot choice of y. Shifts by the width of the type or more have no meaning in ONNX: refused for
 * the inference. Of uint32 and uint64 only values inside int32 are carried, shifts by at most 31.
 */
import { AffineWriter, gathered, type AffineTensor } from '../affine.js';
import { InputRefused } from '../errors.js';
import * as divide from '../gadgets/divide.js';
import * as oneHot from '../gadgets/one-hot.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import { broadcastIndices, type TensorType } from '../tensor.js';
import { requireInteger, settledProduct, settleProduct } from './carried.js';
import { jointShape } from './elementwise.js';
import { defineOp } from './op.js';

interface Shift {
  readonly shape: readonly number[];
  readonly isLeft: boolean;
}

function widthOf({ dtype }: TensorType): number {
  return dtype === 'uint8' ? 8 : dtype === 'uint16' ? 16 : 32;
}

export const bitShift = defineOp<Shift>({
  type: 'BitShift',
  domain: '',
  supports: 'unsigned integers, shifts below the width (at most 31)',

  attributes(view) {
    const x = view.operand(0, 'X');
    requireInteger(view, x);
    if (!x.dtype.startsWith('uint')) view.refuse('dtype', 'an unsigned integer', x.dtype);
    if (view.operand(1, 'Y').dtype !== x.dtype)
      view.refuse('dtype of Y', x.dtype, view.operand(1, 'Y').dtype);
    const direction = view.string('direction', '');
    if (direction !== 'LEFT' && direction !== 'RIGHT')
      view.refuse('direction', 'LEFT or RIGHT', direction || 'none');
    return { shape: jointShape(view), isLeft: direction === 'LEFT' };
  },
  operands: () => [0, 1],
  shape: ({ shape }, [x]) => [{ dtype: x.dtype, shape }],

  reference({ isLeft }, [x, y], [type]) {
    const [left, right] = [x, y].map(({ shape }) => broadcastIndices(shape, type.shape));
    const width = widthOf(type);
    const data = Int32Array.from(left, (at, i) => {
      const by = y.data[right[i]];
      if (by < 0 || by >= width)
        throw new InputRefused({
          where: 'operator BitShift',
          what: 'shift',
          expected: `from 0 to ${width - 1}`,
          got: String(by),
        });
      const power = 2 ** by;
      return isLeft
        ? settledProduct('BitShift', x.data[at], power, type.dtype)
        : Math.floor(x.data[at] / power);
    });
    return [{ ...type, data }];
  },

  constrain({ circuit, types: [type] }, { shape, isLeft }, inputs) {
    const [x, y] = inputs.map((input) => {
      const tensor = input.force(circuit);
      return gathered(tensor, shape, broadcastIndices(tensor.shape, shape));
    });
    const power = powerOfTwo(circuit, y, widthOf(type));
    const result = isLeft
      ? settleProduct(circuit, x, power, type.dtype)
      : divide.constrain(circuit, x, power).quotient;
    return [Quantized.of(type, { ...result, shape })];
  },
});

/** 2ʸ for y in [0, width), which is proven where y is no constant. */
function powerOfTwo(circuit: Builder, y: AffineTensor, width: number): AffineTensor {
  const isOpen = (i: number) => y.lo[i] !== y.hi[i];
  const open = new AffineWriter();
  for (let i = 0; i < y.lo.length; i++) {
    if (isOpen(i)) open.copy(y, i);
    else if (y.lo[i] < 0 || y.lo[i] >= width) throw new RangeError(`shift by ${y.lo[i]} of ${width} bits`);
  }
  const first = oneHot.constrain(circuit, open.finish([]), 0, width);
  const writer = new AffineWriter();
  for (let i = 0, at = first; i < y.lo.length; i++) {
    if (!isOpen(i)) {
      writer.end(2 ** y.lo[i], 2 ** y.lo[i], 2 ** y.lo[i]);
      continue;
    }
    for (let k = 0; k < width; k++) writer.term(at++, 2 ** k);
    writer.end(0, 1, 2 ** (width - 1));
  }
  return writer.finish(y.shape);
}
