/**
 * ArgMax, ArgMin (ai.onnx 13) on integers along one axis: the lowest index among equals, or with select_last_index the
 * highest. ArgMin is ArgMax of the values x ↦ −1 − x, which stay inside their type.
 */
import { gathered, type AffineTensor } from '../affine.js';
import * as argMax from '../gadgets/arg-max.js';
import { axisOf } from '../onnx/node.js';
import { Quantized } from '../quantized.js';
import { dtypeRange, elementCount, stridesOf } from '../tensor.js';
import { combined } from './elementwise.js';
import { defineOp, type Op } from './op.js';

interface Search {
  readonly shape: readonly number[];
  /** Elements of column c are columns[c] + k·stride. */
  readonly columns: Int32Array;
  readonly size: number;
  readonly stride: number;
  readonly isLast: boolean;
}

function argExtremum(type: 'ArgMax' | 'ArgMin'): Op {
  const isMax = type === 'ArgMax';
  const ordered = (value: number) => (isMax ? value : -1 - value);
  return defineOp<Search>({
    type,
    domain: '',
    supports: 'integers, both values of select_last_index',

    attributes(view) {
      const { dtype, shape } = view.operand(0, 'data');
      if (!dtypeRange(dtype)) view.refuse('dtype', 'an integer type', dtype);
      const axis = axisOf(view.node, view.int('axis', 0), shape.length);
      const keeps = view.int('keepdims', 1) === 1;
      const size = shape[axis];
      const stride = stridesOf(shape)[axis];
      const columns = Int32Array.from(
        { length: elementCount(shape) / size },
        (_, i) => Math.floor(i / stride) * stride * size + (i % stride),
      );
      return {
        shape: shape.flatMap((dim, i) => (i !== axis ? [dim] : keeps ? [1] : [])),
        columns,
        size,
        stride,
        isLast: view.int('select_last_index', 0) === 1,
      };
    },
    operands: () => [0],
    shape: ({ shape }) => [{ dtype: 'int64', shape }],

    reference({ columns, size, stride, isLast }, [x], [outputType]) {
      const data = columns.map((from) =>
        argMax.reference(
          Array.from({ length: size }, (_, k) => ordered(x.data[from + k * stride])),
          isLast,
        ),
      );
      return [{ ...outputType, data }];
    },

    constrain({ circuit, types }, { columns, size, stride, isLast, shape }, [x]) {
      const values = x.force(circuit);
      const layers = Array.from({ length: size }, (_, k): AffineTensor => {
        const layer = gathered(
          values,
          shape,
          columns.map((from) => from + k * stride),
        );
        return isMax ? layer : combined([{ tensor: layer, scale: -1 }], -1);
      });
      return [Quantized.of(types[0], { ...argMax.constrain(circuit, layers, isLast), shape })];
    },
  });
}

export const argMaximum = argExtremum('ArgMax');
export const argMinimum = argExtremum('ArgMin');
