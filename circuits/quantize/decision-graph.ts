/**
 * A float graph that only compares its input and adds up constants, as a TreeEnsembleRegressor and a tail. By the
 * operators' definitions alone: how an exporter spelled its trees does not matter.
 */
import type { ConstantTensor, Graph, GraphNode } from '../onnx/graph.js';
import { contextOf, inferTypes } from '../onnx/infer.js';
import { axisOf, intAttribute } from '../onnx/node.js';
import { broadcastMap, mapByCoordinates, sizeOf, stridesOf, type NodeContext } from '../onnx/shape.js';
import { reducedAxes, wiringOf } from '../onnx/wiring.js';
import {
  addedSums,
  constantSum,
  Decisions,
  type DecisionSum,
  NotDecisions,
  numberLeaf,
  scaledSum,
  sumOf,
} from './decisions.js';
import { rangeOf } from '../import/quantization.js';
import { forestGraph } from './forest-graph.js';

export interface DecisionTensor {
  readonly shape: readonly number[];
  readonly elements: readonly DecisionSum[];
}

const COMPARISONS = new Set(['Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual', 'Equal']);

/** Undefined if the graph is of another kind. */
export function asForest(graph: Graph): Graph | undefined {
  const [input] = graph.inputs;
  if (
    graph.inputs.length !== 1 ||
    input!.dtype !== 'float32' ||
    input!.shape.length !== 2 ||
    input!.shape[0] !== 1
  )
    return undefined;
  if (!graph.nodes.some(({ domain, type }) => domain === '' && COMPARISONS.has(type))) return undefined;
  try {
    return new DecisionGraph(graph).run();
  } catch (error) {
    if (error instanceof NotDecisions) return undefined;
    throw error;
  }
}

class DecisionGraph {
  private readonly decisions = new Decisions();
  private readonly values = new Map<string, DecisionTensor>();
  private readonly types: ReturnType<typeof inferTypes>;

  constructor(private readonly graph: Graph) {
    this.types = inferTypes(graph);
    const { name, shape } = graph.inputs[0]!;
    const elements = Array.from({ length: sizeOf(shape) }, (_, feature) =>
      sumOf({ kind: 'feature', feature }),
    );
    this.values.set(name, { shape, elements });
  }

  run(): Graph | undefined {
    const rest: GraphNode[] = [];
    const later = new Set<string>();
    for (const node of this.graph.nodes) {
      const isLater = node.inputs.some((name) => later.has(name));
      const elements = isLater ? undefined : this.evaluate(node);
      if (elements) {
        node.outputs.forEach((name, i) => {
          if (name !== '') this.values.set(name, elements[i]!);
        });
        continue;
      }
      rest.push(node);
      node.outputs.forEach((name) => later.add(name));
    }
    return forestGraph(this.graph, rest, this.values, this.types);
  }

  private tensor(name: string): DecisionTensor {
    const known = this.values.get(name);
    if (known) return known;
    const constant = this.graph.constants.get(name);
    if (!constant) throw new NotDecisions(name);
    const elements = Array.from(constant.data as ArrayLike<number | bigint>, (x) => constantSum(Number(x)));
    const tensor = { shape: constant.shape, elements };
    this.values.set(name, tensor);
    return tensor;
  }

  /** The outputs of a node, or undefined for one that must follow the trees. */
  private evaluate(node: GraphNode): DecisionTensor[] | undefined {
    if (node.domain !== '') throw new NotDecisions(node.type);
    const context = contextOf(node, this.graph, this.types);
    const shape = this.types.get(node.outputs[0]!)!.shape;
    const wirings = wiringOf(context);
    if (wirings)
      return wirings.map((wiring) => {
        const pool = wiring.sources.flatMap((i) => this.tensor(node.inputs[i]!).elements);
        const fill = constantSum(wiring.fill ?? 0);
        const map = wiring.map();
        return { shape: wiring.shape, elements: Array.from(map, (from) => (from < 0 ? fill : pool[from]!)) };
      });
    const elements = this.elements(node, context, shape);
    return elements && [{ shape, elements }];
  }

  private elements(
    node: GraphNode,
    context: NodeContext,
    shape: readonly number[],
  ): readonly DecisionSum[] | undefined {
    if (COMPARISONS.has(node.type))
      return this.pairs(node, shape, (a, b) =>
        sumOf(this.decisions.compare(node.type, this.decisions.joined(a), this.decisions.joined(b))),
      );
    switch (node.type) {
      case 'Identity':
        return this.tensor(node.inputs[0]!).elements;
      case 'Cast':
        return this.cast(node);
      case 'Not':
        return this.tensor(node.inputs[0]!).elements.map((x) =>
          addedSums([constantSum(1), scaledSum(x, -1)]),
        );
      case 'Add':
        return this.pairs(node, shape, (a, b) => addedSums([a, b]));
      case 'Sub':
        return this.pairs(node, shape, (a, b) => addedSums([a, scaledSum(b, -1)]));
      case 'Div':
        this.requireFloats(node);
        return this.pairs(node, shape, (a, b) => {
          if (b.terms.length > 0 || b.constant === 0) throw new NotDecisions('a computed divisor');
          return scaledSum(a, 1 / b.constant);
        });
      case 'Mul':
      case 'And':
        return this.pairs(node, shape, (a, b) => this.product(a, b));
      case 'MatMul':
        return this.matMul(node);
      case 'ReduceMean':
        this.requireFloats(node);
        return this.reduced(node, context, shape);
      case 'ReduceSum':
        return this.reduced(node, context, shape);
      case 'Gather':
        return this.gather(node);
      case 'GatherElements':
        return this.gatherElements(node, shape);
      case 'OneHot':
        return this.oneHot(node, shape);
      case 'ArgMax':
        return this.argMax(node);
    }
    return undefined;
  }

  private pairs(
    node: GraphNode,
    shape: readonly number[],
    of: (a: DecisionSum, b: DecisionSum) => DecisionSum,
  ): DecisionSum[] {
    const [a, b] = node.inputs.map((name) => this.tensor(name)) as [DecisionTensor, DecisionTensor];
    const [fromA, fromB] = [a, b].map((tensor) => broadcastMap(tensor.shape, shape)) as [
      Int32Array,
      Int32Array,
    ];
    return Array.from({ length: sizeOf(shape) }, (_, i) =>
      of(a.elements[fromA[i]!]!, b.elements[fromB[i]!]!),
    );
  }

  private product(a: DecisionSum, b: DecisionSum): DecisionSum {
    if (b.terms.length === 0) return scaledSum(a, b.constant);
    if (a.terms.length === 0) return scaledSum(b, a.constant);
    return sumOf(
      this.decisions.combine([this.decisions.joined(a), this.decisions.joined(b)], ([x, y]) => {
        if (x!.kind === 'number' && y!.kind === 'number') return numberLeaf(x!.value * y!.value);
        const [factor, other] = x!.kind === 'number' ? [x, y!] : [y!, x!];
        if (factor!.kind !== 'number' || (factor!.value !== 0 && factor!.value !== 1))
          throw new NotDecisions('a multiple of a feature');
        // 0 times an infinite or missing feature is no number; a graph that selects by it means 0.
        return factor!.value === 0 ? numberLeaf(0) : other;
      }),
    );
  }

  private cast(node: GraphNode): readonly DecisionSum[] {
    const { elements } = this.tensor(node.inputs[0]!);
    const [from, to] = [node.inputs[0]!, node.outputs[0]!].map((name) => this.types.get(name)!.dtype);
    const isWide = to === 'int32' || to === 'int64';
    if (to.startsWith('float') || from === 'bool' || (isWide && !from.startsWith('float'))) return elements;
    const [low, high] = rangeOf(to);
    return elements.map((sum) =>
      sumOf(
        this.decisions.combine([this.decisions.joined(sum)], ([leaf]) => {
          if (leaf!.kind !== 'number') throw new NotDecisions('a feature as an integer');
          if (to === 'bool') return numberLeaf(Number(leaf!.value !== 0));
          const whole = Math.trunc(leaf!.value);
          if (!(whole >= low && whole <= high)) throw new NotDecisions('an integer that wraps');
          return numberLeaf(whole);
        }),
      ),
    );
  }

  /** Rows of decisions through a matrix of constants, or a matrix of constants before columns of decisions. */
  private matMul(node: GraphNode): DecisionSum[] {
    const [a, b] = node.inputs.map((name) => this.tensor(name)) as [DecisionTensor, DecisionTensor];
    if (a.shape.length !== 2 || b.shape.length !== 2) throw new NotDecisions('a product of higher rank');
    const [rows, inner] = a.shape as [number, number];
    const columns = b.shape[1]!;
    return Array.from({ length: rows * columns }, (_, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      const terms = Array.from({ length: inner }, (_unused, k) => {
        const [x, y] = [a.elements[row * inner + k]!, b.elements[k * columns + column]!];
        if (x.terms.length > 0 && y.terms.length > 0) throw new NotDecisions('a product of computed values');
        return y.terms.length === 0 ? scaledSum(x, y.constant) : scaledSum(y, x.constant);
      });
      return addedSums(terms);
    });
  }

  private reduced(node: GraphNode, context: NodeContext, shape: readonly number[]): DecisionSum[] {
    const source = this.tensor(node.inputs[0]!);
    const axes = reducedAxes(context);
    const kept = source.shape.flatMap((_, axis) => (axes.has(axis) ? [] : [axis]));
    const strides = stridesOf(kept.map((axis) => source.shape[axis]!));
    const groups: DecisionSum[][] = Array.from({ length: sizeOf(shape) }, () => []);
    const place = mapByCoordinates(source.shape, (at) =>
      kept.reduce((sum, axis, i) => sum + strides[i]! * at[axis]!, 0),
    );
    source.elements.forEach((element, i) => groups[place[i]!]!.push(element));
    const factor = node.type === 'ReduceMean' ? groups.length / source.elements.length : 1;
    return groups.map((group) => scaledSum(addedSums(group), factor));
  }

  /** A table of constants read at computed places. */
  private gather(node: GraphNode): DecisionSum[] {
    const table = this.constant(node, 0);
    const index = this.tensor(node.inputs[1]!);
    const axis = axisOf(node, intAttribute(node, 'axis', 0), table.shape.length);
    const [outer, size, inner] = [
      sizeOf(table.shape.slice(0, axis)),
      table.shape[axis]!,
      sizeOf(table.shape.slice(axis + 1)),
    ];
    const places = index.elements.map((sum) => this.decisions.joined(sum));
    return Array.from({ length: outer }, (_, o) =>
      places.flatMap((place) =>
        Array.from({ length: inner }, (_unused, i) =>
          sumOf(
            this.decisions.combine([place], ([leaf]) =>
              numberLeaf(Number(table.data[(o * size + at(leaf!, size)) * inner + i])),
            ),
          ),
        ),
      ),
    ).flat();
  }

  private gatherElements(node: GraphNode, shape: readonly number[]): DecisionSum[] {
    const [source, index] = node.inputs.map((name) => this.tensor(name)) as [DecisionTensor, DecisionTensor];
    const axis = axisOf(node, intAttribute(node, 'axis', 0), source.shape.length);
    const strides = stridesOf(source.shape);
    const bases = mapByCoordinates(shape, (coordinates) =>
      coordinates.reduce((sum, c, k) => sum + (k === axis ? 0 : strides[k]! * c), 0),
    );
    return index.elements.map((sum, i) =>
      sumOf(
        this.decisions.combine([this.decisions.joined(sum)], ([leaf]) => {
          const from = bases[i]! + strides[axis]! * at(leaf!, source.shape[axis]!);
          return this.decisions.joined(source.elements[from]!);
        }),
      ),
    );
  }

  private oneHot(node: GraphNode, shape: readonly number[]): DecisionSum[] {
    const index = this.tensor(node.inputs[0]!);
    const depth = Number(this.constant(node, 1).data[0]);
    const [off, on] = Array.from(this.constant(node, 2).data as ArrayLike<number | bigint>, Number);
    const axis = axisOf(node, intAttribute(node, 'axis', -1), shape.length);
    const inner = sizeOf(shape.slice(axis + 1));
    return Array.from({ length: sizeOf(shape) }, (_, i) => {
      const k = Math.floor(i / inner) % depth;
      const from = Math.floor(i / (inner * depth)) * inner + (i % inner);
      return sumOf(
        this.decisions.combine([this.decisions.joined(index.elements[from]!)], ([leaf]) =>
          numberLeaf(at(leaf!, depth) === k ? on! : off!),
        ),
      );
    });
  }

  /** Of values with few terms a leaf; scores of a whole forest are left to the tail. */
  private argMax(node: GraphNode): DecisionSum[] | undefined {
    const source = this.tensor(node.inputs[0]!);
    if (source.elements.some(({ terms }) => terms.length > 1)) return undefined;
    const axis = axisOf(node, intAttribute(node, 'axis', 0), source.shape.length);
    const [size, inner] = [source.shape[axis]!, sizeOf(source.shape.slice(axis + 1))];
    if (intAttribute(node, 'select_last_index', 0) !== 0) throw new NotDecisions('the last of equals');
    return Array.from({ length: source.elements.length / size }, (_, i) => {
      const base = Math.floor(i / inner) * inner * size + (i % inner);
      const members = Array.from({ length: size }, (_unused, k) =>
        this.decisions.joined(source.elements[base + k * inner]!),
      );
      return sumOf(
        this.decisions.combine(members, (leaves) => {
          const values = leaves.map((leaf) => {
            if (leaf.kind !== 'number') throw new NotDecisions('a maximum of features');
            return leaf.value;
          });
          return numberLeaf(values.indexOf(Math.max(...values)));
        }),
      );
    });
  }

  /** Integers are divided without their remainder, which no sum of decisions does. */
  private requireFloats(node: GraphNode): void {
    if (!this.types.get(node.outputs[0]!)!.dtype.startsWith('float'))
      throw new NotDecisions('a division of integers');
  }

  private constant(node: GraphNode, i: number): ConstantTensor {
    const constant = this.graph.constants.get(node.inputs[i] ?? '');
    if (!constant) throw new NotDecisions(`input ${i} of ${node.type} is computed`);
    return constant;
  }
}

/** A leaf as a place among `size`; negative ones count from the end. */
function at(leaf: { readonly kind: string; readonly value?: number }, size: number): number {
  const value = leaf.value;
  if (value === undefined || !Number.isInteger(value) || value < -size || value >= size)
    throw new NotDecisions('a place outside a table');
  return value < 0 ? value + size : value;
}
