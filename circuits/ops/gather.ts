/**
 * Gather (ai.onnx 13). By constant indices it moves elements (wiring.ts). By computed indices into a constant list it
 * is a table look-up: every elementwise function of an 8-bit value, which import has evaluated entry by entry.
 * Supported then: axis 0 of a list of at most 2^12 entries; a negative index counts from the end, as in ONNX.
 */
import * as table from '../gadgets/table.js';
import { Quantized } from '../quantized.js';
import type { Dtype } from '../onnx/graph.js';
import { defineOp, integers } from './op.js';
import { gather as move } from './wiring.js';

interface LookUp {
  readonly kind: 'table';
  readonly entries: Int32Array;
  readonly dtype: Dtype;
}

interface Move {
  readonly kind: 'move';
  readonly moves: unknown;
}

const MAX_ENTRIES = 2 ** 12;

export const gather = defineOp<LookUp | Move>({
  type: 'Gather',
  domain: '',
  supports: 'constant indices; or computed indices into a constant list (a table)',

  attributes(view) {
    if (view.operand(1, 'indices').constant) return { kind: 'move', moves: move.attributes(view) };
    const data = view.constant(0, 'data');
    if (data.shape.length !== 1)
      view.refuse('data shape', 'a list, for computed indices', `[${data.shape.join(',')}]`);
    const [size] = data.shape;
    if (size < 1 || size > MAX_ENTRIES) view.refuse('data size', `from 1 to ${MAX_ENTRIES}`, `${size}`);
    return { kind: 'table', entries: integers(data), dtype: data.dtype };
  },

  operands: (gather) => (gather.kind === 'table' ? [1] : move.operands(gather.moves)),
  shape: (gather, inputs) =>
    gather.kind === 'table'
      ? [{ dtype: gather.dtype, shape: inputs[0].shape }]
      : move.shape(gather.moves, inputs),

  reference(gather, inputs, types) {
    if (gather.kind === 'move') return move.reference(gather.moves, inputs, types);
    const { entries } = gather;
    const data = inputs[0].data.map((index) => {
      if (index < -entries.length || index >= entries.length) {
        throw new RangeError(`index ${index} is outside a table of ${entries.length} entries`);
      }
      return entries[index < 0 ? index + entries.length : index];
    });
    return [{ ...types[0], data }];
  },

  constrain(context, gather, inputs) {
    if (gather.kind === 'move') return move.constrain(context, gather.moves, inputs);
    const index = inputs[0].force(context.circuit);
    const { entries } = gather;
    const lo = index.lo.reduce((least, value) => Math.min(least, value), Infinity);
    const hi = index.hi.reduce((most, value) => Math.max(most, value), -Infinity);
    const reachable = Int32Array.from(
      { length: hi - lo + 1 },
      (_, i) => entries[lo + i < 0 ? lo + i + entries.length : lo + i],
    );
    return [Quantized.of(context.types[0], table.constrain(context.circuit, index, lo, reachable))];
  },
});
