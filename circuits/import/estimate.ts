/**
 * The price of a graph before anything is built, from shapes alone: an upper bound of rows and of linear terms. A file of
 * a few kilobytes can ask for 2^28 constraints; it is refused here, before the compiler allocates for the first of them.
 */
import { ModelRefused } from '../errors.js';
import type { Dtype, Graph, GraphNode } from '../onnx/graph.js';
import { inferTypes, type ValueTypes } from '../onnx/infer.js';
import { intAttribute, whereOf } from '../onnx/node.js';
import type { ValueType } from '../onnx/shape.js';
import { packedDtypeOf, signalCount } from '../public-signals.js';

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
/** Beyond the bits of two values: what their comparison and the selection of one take, or their sum brought back. */
const PAIR_ROWS = 4n;
/** A product of two 32-bit integers, wrapped: its remainder, its laps and two rows. */
const WIDE_PRODUCT_ROWS = 68n;
/** Two magnitudes, quotient, remainder and the slack to the divisor, 33 bits each, the signs, and the wrap. */
const DIVISION_ROWS = 224n;
/** Three times 32 bits and their sums. */
const BITS_ROWS = 136n;
/** A 256-entry look-up as a tree of products. */
const TABLE_ROWS = 48n;
/** A sum of up to 2^26 integers brought back into its type, beyond its bits. */
const SUM_ROWS = 30n;
/** A permutation takes 612 rows for 16 signals; tags, lengths and salts fill less than three more. */
const SIGNAL_ROWS = 39n;
const SPONGE_ROWS = 3n * 612n;
/** Bits of a wrap or a product, and products of a look-up, among the wires of one element. */
const OWN_WIRES = 64n;
const TABLE_WIRES = 32n;
/** More wires have no combination of them inside 8 bits, each of them moving it. */
const BYTE_WIRES = 256n;

/** Bits of an ordered float32, range-checked twice against its bin. */
const FLOAT_BITS = 33n;

export interface LayerEstimate extends CostEstimate {
  readonly name: string;
  readonly type: string;
}

/** The bounds of the statement and of every node that costs rows or terms, in order. */
export function estimateLayers(graph: Graph): LayerEstimate[] {
  return [...layersOf(graph)].filter(({ rows, terms }) => rows > 0n || terms > 0n);
}

/** Throws ModelRefused at the node where a limit is passed. */
export function estimateCost(graph: Graph, limits: CostLimits = defaultCostLimits): CostEstimate {
  let rows = 0n;
  let terms = 0n;
  for (const layer of layersOf(graph)) {
    rows += layer.rows;
    terms += layer.terms;
    const over =
      rows > limits.rows
        ? ([rows, limits.rows, 'constraints'] as const)
        : terms > limits.terms
          ? ([terms, limits.terms, 'linear terms'] as const)
          : undefined;
    if (over) {
      const [got, limit, what] = over;
      throw new ModelRefused({
        where: layer.where,
        what: `estimated ${what} so far`,
        expected: `at most ${limit}`,
        got: String(got),
      });
    }
  }
  return { rows, terms };
}

/** A sum of sums is longer than its operands: of how many wires one element of each tensor is a combination at most. */
type Widths = Map<string, bigint>;

function* layersOf(graph: Graph): Generator<LayerEstimate & { readonly where: string }> {
  const types = inferTypes(graph);
  const statement = { where: 'graph', name: 'input and output', type: 'statement', terms: 0n };
  yield { ...statement, rows: statementRows(graph, types) };
  const widths: Widths = new Map(graph.inputs.map(({ name }) => [name, 1n]));
  for (const node of graph.nodes) {
    const { width, ...cost } = nodeCost(node, types, graph.constants, widths);
    node.outputs.forEach((name) => widths.set(name, width));
    yield { where: whereOf(node), name: node.name, type: node.type, ...cost };
  }
}

const bitsOf = (dtype: Dtype): bigint =>
  dtype === 'bool' ? 1n : dtype.endsWith('int8') ? 8n : dtype.endsWith('int16') ? 16n : 32n;
const countOf = (shape: readonly number[]): bigint =>
  shape.reduce((product, dim) => product * BigInt(dim), 1n);

/** Every element of an input is proven inside its type; inputs and outputs go through the sponge. */
function statementRows(graph: Graph, types: ValueTypes): bigint {
  const packed = ({ dtype, shape }: ValueType): bigint =>
    BigInt(signalCount(packedDtypeOf(dtype) ?? 'int32', Number(countOf(shape))));
  // A float input is one of the integers that its QuantizeLinear makes.
  const quantized = new Map(
    graph.nodes
      .filter(({ type }) => type === 'QuantizeLinear')
      .map(({ inputs, outputs }) => [inputs[0]!, types.get(outputs[0]!)!.dtype]),
  );
  let rows = SPONGE_ROWS;
  for (const { name, dtype, shape } of graph.inputs) {
    const own = quantized.get(name) ?? dtype;
    rows += countOf(shape) * (bitsOf(own) + 1n) + SIGNAL_ROWS * packed({ dtype: own, shape });
  }
  for (const output of graph.outputs) rows += SIGNAL_ROWS * packed(output);
  return rows;
}

function nodeCost(
  node: GraphNode,
  types: ValueTypes,
  constants: Graph['constants'],
  widths: Widths,
): CostEstimate & { readonly width: bigint } {
  const size = (name: string | undefined): bigint => countOf(types.get(name ?? '')?.shape ?? []);
  const outputs = size(node.outputs[0]);
  const given = size(node.inputs[0]);
  const bits = bitsOf(types.get(node.inputs[0] ?? '')?.dtype ?? 'int32');
  const wide = node.inputs.map((name) => widths.get(name) ?? 0n);
  const [most, sum] = [wide.reduce((a, b) => (a > b ? a : b), 0n), wide.reduce((a, b) => a + b, 0n)];
  const areComputed = (i: number, j: number): boolean =>
    !constants.has(node.inputs[i] ?? '') && !constants.has(node.inputs[j] ?? '');
  const elementwise = (each: bigint, width: bigint, count = outputs) => ({
    rows: count * each,
    terms: count * (sum > 1n ? sum : 1n),
    width,
  });
  switch (node.type) {
    case 'QLinearConv':
    case 'ConvInteger': {
      const [filters] = types.get(node.inputs[node.type === 'QLinearConv' ? 3 : 1]!)!.shape as [number];
      const weights = size(node.inputs[node.type === 'QLinearConv' ? 3 : 1]);
      const products = (outputs * weights) / BigInt(filters);
      if (node.type === 'QLinearConv')
        return { rows: outputs * REQUANTIZE_ROWS, terms: products * most, width: 1n };
      const rows = areComputed(0, 1) ? products : 0n;
      return { rows, terms: products * most, width: (weights / BigInt(filters)) * sum };
    }
    case 'QLinearMatMul':
    case 'QGemm':
    case 'MatMulInteger': {
      const inner = BigInt(
        types.get(node.inputs[0]!)!.shape.at(intAttribute(node, 'transA', 0) ? 0 : -1) ?? 1,
      );
      const isRounded = node.type !== 'MatMulInteger';
      const products = areComputed(0, node.type === 'MatMulInteger' ? 1 : 3) ? outputs * inner : 0n;
      return {
        rows: products + (isRounded ? outputs * REQUANTIZE_ROWS : 0n),
        terms: outputs * inner * most,
        width: isRounded ? 1n : inner * sum,
      };
    }
    case 'MaxPool': {
      const kernel = node.attributes.get('kernel_shape');
      const window = (kernel?.kind === 'ints' ? kernel.value : []).reduce(
        (product, k) => product * BigInt(k),
        1n,
      );
      return { rows: outputs * window * (bits + PAIR_ROWS), terms: outputs * window * most, width: most };
    }
    case 'Gather': {
      if (constants.has(node.inputs[1]!)) return { rows: 0n, terms: outputs * most, width: most };
      const { shape } = types.get(node.inputs[0]!)!;
      const axis = BigInt(shape[intAttribute(node, 'axis', 0)] ?? 1);
      // A 256-entry list is a table; else a one-hot of the axis for each index and a product for each element of it.
      const isList = shape.length === 1 && constants.has(node.inputs[0]!);
      const isTable = isList && axis <= 256n;
      const indices = size(node.inputs[1]);
      const rows = isTable ? outputs * TABLE_ROWS : 0n;
      const choice = indices * (2n * axis + 2n) + outputs * axis;
      return {
        rows: rows > choice ? rows : choice,
        terms: outputs * axis * (most > 1n ? most : 1n),
        // A table is a sum of at most 16 products of low bits and one for each bit above.
        width: isList ? most + TABLE_WIRES : 2n * axis,
      };
    }
    case 'Add':
    case 'Sub':
    case 'Neg':
    case 'BitwiseNot':
      return elementwise(bits + PAIR_ROWS, sum + OWN_WIRES);
    case 'Abs':
      return elementwise(2n * (bits + PAIR_ROWS), most + OWN_WIRES);
    case 'Cast': {
      const to = bitsOf(types.get(node.outputs[0]!)!.dtype);
      return elementwise((to > bits ? to : bits) + PAIR_ROWS, most + OWN_WIRES);
    }
    case 'Mul':
      return elementwise(WIDE_PRODUCT_ROWS, most + OWN_WIRES);
    case 'Div':
    case 'Mod':
      return elementwise(DIVISION_ROWS, most + OWN_WIRES);
    case 'BitShift':
      return elementwise(BITS_ROWS, OWN_WIRES);
    case 'BitwiseAnd':
    case 'BitwiseOr':
    case 'BitwiseXor':
    case 'And':
    case 'Or':
    case 'Xor':
    case 'Where':
      return elementwise(node.type.startsWith('Bitwise') ? BITS_ROWS : 3n, sum + OWN_WIRES);
    case 'Equal':
      return elementwise(3n, 1n);
    case 'Greater':
    case 'GreaterOrEqual':
    case 'Less':
    case 'LessOrEqual':
      return elementwise(bits + PAIR_ROWS, 1n);
    case 'Relu':
      return elementwise(REQUANTIZE_ROWS, most);
    case 'Max':
    case 'Min':
      return elementwise(bits + PAIR_ROWS, most, outputs * BigInt(node.inputs.length));
    case 'Clip':
      return elementwise(bits + PAIR_ROWS, most, 2n * outputs);
    case 'ReduceMax':
    case 'ReduceMin':
      return elementwise(bits + PAIR_ROWS, most, given);
    case 'ReduceSum':
      return {
        rows: outputs * (bits + PAIR_ROWS),
        terms: given * most,
        width: (given / outputs) * most + OWN_WIRES,
      };
    case 'ArgMax':
    case 'ArgMin':
      return elementwise(bits + 2n * PAIR_ROWS, 2n, given);
    case 'Sign':
      return elementwise(2n * (bits + PAIR_ROWS), 2n);
    case 'CumSum':
      return {
        rows: outputs * (bits + SUM_ROWS),
        terms: outputs * outputs * most,
        width: given * most + OWN_WIRES,
      };
    case 'Pow':
      return elementwise(10n * WIDE_PRODUCT_ROWS, OWN_WIRES);
    case 'Rescale': {
      const width = intAttribute(node, 'divisor', 1) !== 1 ? 1n : sum < BYTE_WIRES ? sum : BYTE_WIRES;
      return { rows: outputs * REQUANTIZE_ROWS, terms: outputs * sum, width };
    }
    case 'TreeEnsemble': {
      const [rows, features] = types.get(node.inputs[0]!)!.shape as [number, number];
      const cuts = node.attributes.get('cuts');
      const inner = BigInt(cuts?.kind === 'ints' ? cuts.value.length : 0);
      const joins = node.attributes.has('aggregate') ? outputs * BigInt(inner + 1n) * FLOAT_BITS : 0n;
      const each = 2n * inner + 2n * FLOAT_BITS * BigInt(features) + joins;
      const terms = BigInt(rows) * inner * (inner / BigInt(features) + 1n);
      return { rows: BigInt(rows) * each, terms, width: inner + 1n };
    }
    case 'OrderedFloat':
    case 'Reshape':
    case 'Transpose':
    case 'Slice':
    case 'Concat':
    case 'Identity':
    case 'QuantizeLinear':
    case 'DequantizeLinear':
      return { rows: 0n, terms: outputs * (most > 1n ? most : 1n), width: most > 1n ? most : 1n };
    default:
      return {
        rows: outputs * REQUANTIZE_ROWS,
        terms: outputs * (sum + BigInt(node.inputs.length)),
        width: most + OWN_WIRES,
      };
  }
}
