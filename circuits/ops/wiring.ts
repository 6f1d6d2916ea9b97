/**
 * Operators that only move elements: Transpose, Slice, Concat, Gather by constant indices. Which element goes where is
 * said once, by the index maps of circuits/onnx/wiring.ts; here the same map moves integers and combinations of wires.
 */
import { AffineWriter, gathered, type AffineTensor } from '../affine.js';
import { wiringOf, type Wiring } from '../onnx/wiring.js';
import { Quantized } from '../quantized.js';
import type { IntTensor } from '../tensor.js';
import { defineOp, type NodeView, type Op } from './op.js';

/** Opset of the executed graph, which is written in one form only. */
const EXECUTED_OPSET = 17;

interface Moves {
  readonly wiring: Wiring;
  readonly map: Int32Array;
}

function wiringOp(type: string, supports: string): Op {
  return defineOp<Moves>({
    type,
    domain: '',
    supports,
    attributes: (view) => movesOf(view),
    operands: ({ wiring }) => wiring.sources,
    shape: ({ wiring }, [x]) => [{ dtype: x.dtype, shape: wiring.shape }],
    reference: ({ map }, inputs, [type]) => [{ ...type, data: moveIntegers(map, inputs) }],

    constrain({ circuit, label, types, isOnlyReader }, { map }, inputs) {
      const [type] = types;
      const [x] = inputs;
      const { pending } = x;
      // A rounding put off stays put off, unless it would then be done twice.
      if (inputs.length === 1 && pending && x.isPending && isOnlyReader(0) && isInjective(map)) {
        const moved = { ...pending, accumulator: gathered(pending.accumulator, type.shape, map) };
        return [
          Quantized.pending(type, label, { ...moved, rescalingOf: (i) => pending.rescalingOf(map[i]) }),
        ];
      }
      const values = inputs.map((input) => input.force(circuit));
      return [Quantized.of(type, moveCombinations(map, values, type.shape))];
    },
  });
}

function movesOf(view: NodeView): Moves {
  const wirings = wiringOf({
    node: view.node,
    opset: EXECUTED_OPSET,
    type: (i) => view.operands[i],
    constant: (i) => view.operands[i]?.constant,
  });
  if (!wirings) return view.refuse('indices', 'constant', 'a computed tensor');
  const [wiring] = wirings;
  return { wiring, map: wiring.map() };
}

function moveIntegers(map: Int32Array, inputs: readonly IntTensor[]): Int32Array {
  const all = inputs.length === 1 ? inputs[0].data : joined(inputs);
  return map.map((from) => all[from]);
}

function joined(inputs: readonly IntTensor[]): Int32Array {
  const all = new Int32Array(inputs.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of inputs) {
    all.set(data, at);
    at += data.length;
  }
  return all;
}

function moveCombinations(
  map: Int32Array,
  inputs: readonly AffineTensor[],
  shape: readonly number[],
): AffineTensor {
  const writer = new AffineWriter();
  for (let from of map) {
    let k = 0;
    while (from >= inputs[k].constants.length) from -= inputs[k++].constants.length;
    writer.copy(inputs[k], from);
  }
  return writer.finish(shape);
}

function isInjective(map: Int32Array): boolean {
  return new Set(map).size === map.length;
}

export const transpose = wiringOp('Transpose', 'any permutation');
export const slice = wiringOp('Slice', 'constant starts, ends, axes, steps');
export const concat = wiringOp('Concat', 'any axis; operands of one scale and zero point');
export const gather = wiringOp('Gather', 'constant indices');
