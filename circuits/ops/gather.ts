/**
 * Gather (ai.onnx 13). By constant indices it moves elements (wiring.ts). By computed indices into a constant list it
 * is a table look-up: every elementwise function of an 8-bit value, which import has evaluated entry by entry.
 * Supported then: axis 0 of a list of at most 2^12 entries; a negative index counts from the end, as in ONNX.
 */
import { rangeCheck } from '../gadgets/range.js';
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
    data.data.forEach((value: number | bigint) => {
      if (Number(value) < -(2 ** 31) || Number(value) >= 2 ** 31)
        view.refuse('data', 'inside int32', `${value}`);
    });
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
    const least = index.lo.reduce((all, value) => Math.min(all, value), Infinity);
    const most = index.hi.reduce((all, value) => Math.max(all, value), -Infinity);
    // ONNX has no answer outside the table, so neither has a proof.
    const [lo, hi] = [Math.max(least, -entries.length), Math.min(most, entries.length - 1)];
    if (lo > hi) throw new RangeError(`indices in [${least}, ${most}] miss a table of ${entries.length}`);
    let inside = index;
    if (lo > least || hi < most) {
      rangeCheck(context.circuit, 'index', index, lo, hi - lo + 1);
      inside = {
        ...index,
        lo: index.lo.map((value) => Math.max(value, lo)),
        hi: index.hi.map((value) => Math.min(value, hi)),
      };
    }
    const reachable = Int32Array.from(
      { length: hi - lo + 1 },
      (_, i) => entries[lo + i < 0 ? lo + i + entries.length : lo + i],
    );
    return [Quantized.of(context.types[0], table.constrain(context.circuit, inside, lo, reachable))];
  },
});
