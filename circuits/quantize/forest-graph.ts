/** Sums of decisions as one TreeEnsembleRegressor, followed by the nodes that read them. */
import type { AttributeValue, ConstantTensor, Graph, GraphNode } from '../onnx/graph.js';
import type { ValueTypes } from '../onnx/infer.js';
import { sizeOf } from '../onnx/shape.js';
import { floatOfOrder } from '../ordered-float.js';
import type { DecisionTensor } from './decision-graph.js';
import { type Decision, NotDecisions } from './decisions.js';

/** ordered(+∞). */
const ORDERED_INFINITY = 0x7f800000;

const int = (value: number): AttributeValue => ({ kind: 'int', value });
const ints = (value: readonly number[]): AttributeValue => ({ kind: 'ints', value });
const floats = (value: readonly number[]): AttributeValue => ({ kind: 'floats', value });

/** Trees of one shape, with a weight a leaf and target. */
interface SharedTree {
  readonly decision: Decision;
  readonly weights: Map<number, number[]>;
}

export function forestGraph(
  graph: Graph,
  rest: readonly GraphNode[],
  values: ReadonlyMap<string, DecisionTensor>,
  types: ValueTypes,
): Graph | undefined {
  const read = new Set([...rest.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const wanted = [...read].filter((name) => values.has(name) && !graph.constants.has(name));
  if (wanted.length !== 1) return undefined;
  const [name] = wanted as [string];
  const { shape, elements } = values.get(name)!;
  if (elements.every(({ terms }) => terms.length === 0)) return undefined;
  const trees = new Map<string, SharedTree>();
  elements.forEach(({ terms }, target) => {
    for (const { decision, weight } of terms) {
      const key = structureOf(decision);
      const tree = trees.get(key) ?? { decision, weights: new Map<number, number[]>() };
      trees.set(key, tree);
      const own = leavesOf(decision).map((value) => value * weight);
      const known = tree.weights.get(target);
      tree.weights.set(target, known ? known.map((w, i) => w + own[i]!) : own);
    }
  });
  // ONNX Runtime adds a base value only to a target that some tree scores.
  const [first] = trees.values();
  elements.forEach((_, target) => {
    if ([...trees.values()].some(({ weights }) => weights.has(target))) return;
    first!.weights.set(target, new Array<number>(leavesOf(first!.decision).length).fill(0));
  });
  const inputs = [graph.inputs[0]!.name];
  const constants = new Map<string, ConstantTensor>(
    [...graph.constants].filter(([constant]) => rest.some((node) => node.inputs.includes(constant))),
  );
  const isInteger = !types.get(name)!.dtype.startsWith('float');
  const shaped = isInteger ? `${name}_scores` : name;
  constants.set(`${name}_shape`, {
    dtype: 'int64',
    shape: [shape.length],
    data: BigInt64Array.from(shape, BigInt),
  });
  const plain = (
    type: string,
    from: string[],
    to: string,
    attributes: [string, AttributeValue][] = [],
  ): GraphNode => ({
    name: `${name}_${type}`,
    domain: '',
    type,
    inputs: from,
    outputs: [to],
    attributes: new Map(attributes),
  });
  const nodes: GraphNode[] = [
    {
      name: `${name}_trees`,
      domain: 'ai.onnx.ml',
      type: 'TreeEnsembleRegressor',
      inputs,
      outputs: [`${name}_flat`],
      attributes: regressor(
        [...trees.values()],
        elements.map(({ constant }) => constant),
        sizeOf(shape),
      ),
    },
    plain('Reshape', [`${name}_flat`, `${name}_shape`], shaped),
  ];
  if (isInteger) nodes.push(plain('Cast', [shaped], name, [['to', int(7)]]));
  return {
    ...graph,
    // Double precision ends here: the scores are integers of 24 bits whatever the file added up in.
    outputs: graph.outputs.map((output) =>
      output.dtype === 'float64' ? { ...output, dtype: 'float32' } : output,
    ),
    opsets: new Map([...graph.opsets, ['ai.onnx.ml', 3]]),
    constants,
    nodes: [...nodes, ...rest],
  };
}

/** Equal for trees that ask the same questions. */
function structureOf(decision: Decision): string {
  if (decision.kind !== 'branch') return '.';
  return `${decision.feature}<${decision.cut}(${structureOf(decision.below)}${structureOf(decision.above)})`;
}

function leavesOf(decision: Decision): number[] {
  if (decision.kind === 'branch') return [...leavesOf(decision.below), ...leavesOf(decision.above)];
  if (decision.kind === 'feature') throw new NotDecisions('a feature leaves the trees');
  return [decision.value];
}

function regressor(
  trees: readonly SharedTree[],
  base: readonly number[],
  targets: number,
): Map<string, AttributeValue> {
  const rows: {
    tree: number;
    id: number;
    feature: number;
    mode: string;
    value: number;
    yes: number;
    no: number;
  }[] = [];
  const weights: { tree: number; id: number; target: number; weight: number }[] = [];
  trees.forEach(({ decision, weights: byTarget }, tree) => {
    let id = 0;
    let leaf = 0;
    const place = (at: Decision): number => {
      const own = id++;
      if (at.kind !== 'branch') {
        rows.push({ tree, id: own, feature: 0, mode: 'LEAF', value: 0, yes: 0, no: 0 });
        // One target reads one weight a leaf; with several, a target that a tree never scores gets none of it.
        for (const [target, list] of byTarget) weights.push({ tree, id: own, target, weight: list[leaf]! });
        leaf++;
        return own;
      }
      const isAboveInfinity = at.cut > ORDERED_INFINITY;
      const row = {
        tree,
        id: own,
        feature: at.feature,
        // "Not NaN" is ≤ +∞.
        mode: isAboveInfinity ? 'BRANCH_LEQ' : 'BRANCH_LT',
        value: isAboveInfinity ? Infinity : floatOfOrder(at.cut),
        yes: 0,
        no: 0,
      };
      rows.push(row);
      row.yes = place(at.below);
      row.no = place(at.above);
      return own;
    };
    place(decision);
  });
  return new Map<string, AttributeValue>([
    ['n_targets', int(targets)],
    ['base_values', floats(base.map(Math.fround))],
    ['nodes_treeids', ints(rows.map(({ tree }) => tree))],
    ['nodes_nodeids', ints(rows.map(({ id }) => id))],
    ['nodes_featureids', ints(rows.map(({ feature }) => feature))],
    ['nodes_modes', { kind: 'strings', value: rows.map(({ mode }) => mode) }],
    ['nodes_values', floats(rows.map(({ value }) => value))],
    ['nodes_truenodeids', ints(rows.map(({ yes }) => yes))],
    ['nodes_falsenodeids', ints(rows.map(({ no }) => no))],
    ['target_treeids', ints(weights.map(({ tree }) => tree))],
    ['target_nodeids', ints(weights.map(({ id }) => id))],
    ['target_ids', ints(weights.map(({ target }) => target))],
    ['target_weights', floats(weights.map(({ weight }) => Math.fround(weight)))],
  ]);
}
