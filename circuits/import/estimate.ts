/**
 * The price of a graph before anything is built, from shapes alone: an upper bound of rows and of linear terms. A file of
 * a few kilobytes can ask for 2^28 constraints; it is refused here, before the compiler allocates for the first of them.
 */
import { ModelRefused } from '../errors.js';
import type { Graph, GraphNode } from '../onnx/graph.js';
import { inferTypes, type ValueTypes } from '../onnx/infer.js';
import { intAttribute } from '../onnx/node.js';
import { whereOf } from '../onnx/node.js';

export interface CostEstimate {
  readonly rows: bigint;
  /** Products of a constant and a wire in all linear layers. */
  readonly terms: bigint;
}

export interface CostLimits {
  readonly rows: bigint;
  readonly terms: bigint;
}

/** 2^26 rows are a 100 GB proving key: beyond what any host here proves. Terms are bounded by compile time. */
export const defaultCostLimits: CostLimits = { rows: 2n ** 26n, terms: 2n ** 31n };

/** Rows of one requantized element at the widest: sign, overflow, 8 quotient bits, 20 remainder bits and slack. */
const REQUANTIZE_ROWS = 32n;
/** One maximum of two 8-bit values: a comparison and a selection. */
const MAXIMUM_ROWS = 12n;
/** A product of two 32-bit integers, wrapped: its remainder, its laps and two rows. */
const WIDE_PRODUCT_ROWS = 68n;
/** Two magnitudes, quotient, remainder and the slack to the divisor, 33 bits each, and the signs. */
const DIVISION_ROWS = 192n;
/** Three times 32 bits and their sums. */
const BITS_ROWS = 136n;
/** A 256-entry look-up as a two-level one-hot. */
const TABLE_ROWS = 48n;

/** Bits of an ordered float32, range-checked twice against its bin. */
const FLOAT_BITS = 33n;

export interface LayerEstimate extends CostEstimate {
  readonly name: string;
  readonly type: string;
}

/** The bounds of every node that costs rows or terms, in order. */
export function estimateLayers(graph: Graph): LayerEstimate[] {
  const types = inferTypes(graph);
  return graph.nodes
    .map((node) => ({ name: node.name, type: node.type, ...nodeCost(node, types, graph.constants) }))
    .filter(({ rows, terms }) => rows > 0n || terms > 0n);
}

/** Throws ModelRefused at the node where a limit is passed. */
export function estimateCost(graph: Graph, limits: CostLimits = defaultCostLimits): CostEstimate {
  const types = inferTypes(graph);
  let rows = 0n;
  let terms = 0n;
  for (const node of graph.nodes) {
    const cost = nodeCost(node, types, graph.constants);
    rows += cost.rows;
    terms += cost.terms;
    const over =
      rows > limits.rows
        ? ([rows, limits.rows, 'constraints'] as const)
        : terms > limits.terms
          ? ([terms, limits.terms, 'linear terms'] as const)
          : undefined;
    if (over) {
      const [got, limit, what] = over;
      throw new ModelRefused({
        where: whereOf(node),
        what: `estimated ${what} so far`,
        expected: `at most ${limit}`,
        got: String(got),
      });
    }
  }
  return { rows, terms };
}

function nodeCost(node: GraphNode, types: ValueTypes, constants: Graph['constants']): CostEstimate {
  const size = (name: string | undefined): bigint =>
    (types.get(name ?? '')?.shape ?? []).reduce((product, dim) => product * BigInt(dim), 1n);
  const outputs = size(node.outputs[0]);
  switch (node.type) {
    case 'QLinearConv':
    case 'ConvInteger': {
      const [filters] = types.get(node.inputs[node.type === 'QLinearConv' ? 3 : 1]!)!.shape as [number];
      const weights = size(node.inputs[node.type === 'QLinearConv' ? 3 : 1]);
      return {
        rows: node.type === 'QLinearConv' ? outputs * REQUANTIZE_ROWS : 0n,
        terms: (outputs * weights) / BigInt(filters),
      };
    }
    case 'QLinearMatMul':
    case 'QGemm':
    case 'MatMulInteger': {
      const inner = BigInt(
        types.get(node.inputs[0]!)!.shape.at(intAttribute(node, 'transA', 0) ? 0 : -1) ?? 1,
      );
      return { rows: node.type === 'MatMulInteger' ? 0n : outputs * REQUANTIZE_ROWS, terms: outputs * inner };
    }
    case 'MaxPool': {
      const kernel = node.attributes.get('kernel_shape');
      const window = (kernel?.kind === 'ints' ? kernel.value : []).reduce(
        (product, k) => product * BigInt(k),
        1n,
      );
      return { rows: outputs * window * MAXIMUM_ROWS, terms: outputs * window };
    }
    case 'Gather': {
      if (constants.has(node.inputs[1]!)) return { rows: 0n, terms: outputs };
      const { shape } = types.get(node.inputs[0]!)!;
      const axis = BigInt(shape[intAttribute(node, 'axis', 0)] ?? 1);
      // A 256-entry list is a table; else a one-hot of the axis for each index and a product for each element of it.
      const isTable = shape.length === 1 && axis <= 256n && constants.has(node.inputs[0]!);
      const indices = size(node.inputs[1]);
      const rows = isTable ? outputs * TABLE_ROWS : 0n;
      const choice = indices * (2n * axis + 2n) + outputs * axis;
      return { rows: rows > choice ? rows : choice, terms: outputs * axis };
    }
    case 'Mul':
      return { rows: outputs * WIDE_PRODUCT_ROWS, terms: outputs };
    case 'Div':
    case 'Mod':
      return { rows: outputs * DIVISION_ROWS, terms: outputs };
    case 'BitShift':
    case 'BitwiseAnd':
    case 'BitwiseOr':
    case 'BitwiseXor':
      return { rows: outputs * BITS_ROWS, terms: outputs };
    case 'ArgMax':
    case 'ArgMin':
      return { rows: size(node.inputs[0]) * (REQUANTIZE_ROWS + 4n), terms: size(node.inputs[0]) };
    case 'Sign':
      return { rows: outputs * 2n * (REQUANTIZE_ROWS + 2n), terms: outputs };
    case 'CumSum':
      return { rows: outputs * 2n * REQUANTIZE_ROWS, terms: outputs * outputs };
    case 'Pow':
      return { rows: outputs * 10n * WIDE_PRODUCT_ROWS, terms: outputs };
    case 'TreeEnsemble': {
      const [rows, features] = types.get(node.inputs[0]!)!.shape as [number, number];
      const cuts = node.attributes.get('cuts');
      const inner = BigInt(cuts?.kind === 'ints' ? cuts.value.length : 0);
      const joins = node.attributes.has('aggregate') ? outputs * BigInt(inner + 1n) * FLOAT_BITS : 0n;
      const each = 2n * inner + 2n * FLOAT_BITS * BigInt(features) + joins;
      return { rows: BigInt(rows) * each, terms: BigInt(rows) * inner * (inner / BigInt(features) + 1n) };
    }
    case 'OrderedFloat':
    case 'Reshape':
    case 'Transpose':
    case 'Slice':
    case 'Concat':
    case 'Identity':
    case 'Cast':
    case 'QuantizeLinear':
    case 'DequantizeLinear':
      return { rows: 0n, terms: outputs };
    default:
      return { rows: outputs * REQUANTIZE_ROWS, terms: outputs * BigInt(node.inputs.length) };
  }
}
