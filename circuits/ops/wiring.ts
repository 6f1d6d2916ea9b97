/**
 * Operators that only move elements. Which element goes where is said once, by the index maps of
 * circuits/onnx/wiring.ts; here the same maps move integers and combinations of wires, at no cost.
 */
import { concatenated, gathered, type AffineTensor } from '../affine.js';
import { wiringOf } from '../onnx/wiring.js';
import type { Wiring } from '../onnx/shape.js';
import { Quantized } from '../quantized.js';
import type { IntTensor } from '../tensor.js';
import { defineOp, type NodeView, type Op } from './op.js';

interface Move {
  readonly wiring: Wiring;
  readonly map: Int32Array;
}

/** One move an output. */
type Moves = readonly Move[];

function wiringOp(type: string, supports: string): Op {
  return defineOp<Moves>({
    type,
    domain: '',
    supports,
    attributes: (view) => movesOf(view),
    operands: ([{ wiring }]) => wiring.sources,
    shape: (moves, [x]) => moves.map(({ wiring }) => ({ dtype: x.dtype, shape: wiring.shape })),
    reference: (moves, inputs, types) =>
      moves.map((move, k) => ({ ...types[k], data: moveIntegers(move, inputs) })),

    constrain({ circuit, label, types, isOnlyReader }, moves, inputs) {
      const [x] = inputs;
      const { pending } = x;
      // A rounding put off stays put off, unless it would then be done twice.
      const whole = moves.length === 1 && inputs.length === 1 && isInjective(moves[0].map);
      if (whole && pending && x.isPending && isOnlyReader(0)) {
        const [{ map }] = moves;
        const accumulator = gathered(pending.accumulator, types[0].shape, map);
        const rescalingOf = (i: number) => pending.rescalingOf(map[i]);
        return [Quantized.pending(types[0], label, { ...pending, accumulator, rescalingOf })];
      }
      const values = inputs.map((input) => input.force(circuit));
      return moves.map((move, k) => Quantized.of(types[k], moveCombinations(move, values, types[k].shape)));
    },
  });
}

function movesOf(view: NodeView): Moves {
  const wirings = wiringOf(view.context);
  if (!wirings) return view.refuse('indices', 'constant', 'a computed tensor');
  return wirings.map((wiring) => ({ wiring, map: wiring.map() }));
}

function moveIntegers({ map, wiring }: Move, inputs: readonly IntTensor[]): Int32Array {
  const all = inputs.length === 1 ? inputs[0].data : joined(inputs);
  return map.map((from) => (from < 0 ? (wiring.fill ?? 0) : all[from]));
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
  { map, wiring }: Move,
  inputs: readonly AffineTensor[],
  shape: readonly number[],
): AffineTensor {
  return gathered(concatenated(inputs), shape, map, wiring.fill ?? 0);
}

/** Each source at most once, and nothing filled in. */
function isInjective(map: Int32Array): boolean {
  return !map.includes(-1) && new Set(map).size === map.length;
}

export const reshape = wiringOp('Reshape', 'constant shape');
export const flatten = wiringOp('Flatten', 'any axis');
export const squeeze = wiringOp('Squeeze', 'constant axes');
export const unsqueeze = wiringOp('Unsqueeze', 'constant axes');
export const identity = wiringOp('Identity', 'any integer tensor');
export const transpose = wiringOp('Transpose', 'any permutation');
export const slice = wiringOp('Slice', 'constant starts, ends, axes, steps');
export const concat = wiringOp('Concat', 'any axis; operands of one scale and zero point');
export const gather = wiringOp('Gather', 'constant indices');
export const split = wiringOp('Split', 'constant sizes');
export const pad = wiringOp('Pad', 'constant pads and value');
export const expand = wiringOp('Expand', 'constant shape');
export const tile = wiringOp('Tile', 'constant repeats');
export const resize = wiringOp(
  'Resize',
  'nearest neighbour, constant sizes or scales; linear by factors whose weights are multiples of 1/64',
);
export const depthToSpace = wiringOp('DepthToSpace', 'any block size');
export const spaceToDepth = wiringOp('SpaceToDepth', 'any block size');
export const gatherElements = wiringOp('GatherElements', 'constant indices');
export const gatherNd = wiringOp('GatherND', 'constant indices');
export const scatterElements = wiringOp('ScatterElements', 'constant indices');
export const scatterNd = wiringOp('ScatterND', 'constant indices');
