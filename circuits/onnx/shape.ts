/** Shapes, strides, broadcasting: row-major index arithmetic on plain arrays. */
import type { ConstantTensor, Dtype, GraphNode } from './graph.js';
import { refuseNode } from './node.js';

export interface ValueType {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** A node with what is known of its inputs. */
export interface NodeContext {
  readonly node: GraphNode;
  /** Opset version of the node's domain. */
  readonly opset: number;
  /** Type of input i; undefined when absent. */
  type(i: number): ValueType | undefined;
  /** Value of input i when it is a constant. */
  constant(i: number): ConstantTensor | undefined;
}

/** An output of an operator that only moves elements. */
export interface Wiring {
  readonly shape: readonly number[];
  /** Inputs whose elements are moved, by input index; elements are numbered through them in this order. */
  readonly sources: readonly number[];
  /** For each output element the number of its source element, −1 for `fill`. Allocates; call after the size check. */
  readonly map: () => Int32Array;
  /** Value of the elements that come from no input. */
  readonly fill?: number;
}

export function inputShape(context: NodeContext, i = 0): readonly number[] {
  const type = context.type(i);
  return type ? type.shape : refuseNode(context.node, `input ${i}`, 'present', 'absent');
}

export const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0);

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Map by coordinates: `at` gets the output coordinates (reused array) and returns the source element, or −1. */
export function mapByCoordinates(
  shape: readonly number[],
  at: (coordinates: readonly number[]) => number,
): Int32Array {
  const map = new Int32Array(sizeOf(shape));
  const coordinates = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < map.length; i++) {
    map[i] = at(coordinates);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++coordinates[axis]! < shape[axis]!) break;
      coordinates[axis] = 0;
    }
  }
  return map;
}

/** Numpy broadcasting; undefined if the shapes do not fit. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] | undefined {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const out = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let i = 0; i < shape.length; i++) {
      const axis = rank - shape.length + i;
      if (shape[i] === 1 || shape[i] === out[axis]) continue;
      if (out[axis] !== 1) return undefined;
      out[axis] = shape[i]!;
    }
  }
  return out;
}

/** Source element of each element of `to`, when a tensor of shape `from` is broadcast to it. */
export function broadcastMap(from: readonly number[], to: readonly number[]): Int32Array {
  const strides = stridesOf(from).map((stride, axis) => (from[axis] === 1 ? 0 : stride));
  const shift = to.length - from.length;
  return mapByCoordinates(to, (c) =>
    strides.reduce((sum, stride, axis) => sum + stride * c[axis + shift]!, 0),
  );
}
