/** Functions of one 8-bit value: a table of 256 entries, or one division where the table is a regular staircase. */
import type { AttributeValue, Dtype, GraphNode } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import { dtypeCodes, newTensorData } from '../onnx/tensor.js';
import type { GraphBuilder, NodeParts, Tensor } from './builder.js';
import { fitStaircase, staircaseOf } from './fit.js';
import { perTensor, quantize, rangeOf, type Quantization } from './quantization.js';
import type { SumForm } from './sum.js';
import type { DequantizedFloat } from './value.js';

/** A function of one quantized value: a table of at most 256 entries, or a cheaper staircase when it is one. */
export function emitUnary(
  builder: GraphBuilder,
  name: string,
  source: DequantizedFloat,
  to: Quantization,
  valueAt: (q: number) => number,
  node: GraphNode,
): Tensor {
  const params = perTensor(node, to);
  const { dtype } = source.quantization;
  if (dtype !== 'int8' && dtype !== 'uint8') refuseNode(node, 'input dtype', 'int8 or uint8', dtype);
  if (to.dtype !== 'int8' && to.dtype !== 'uint8')
    refuseNode(node, 'output dtype', 'int8 or uint8', to.dtype);
  const [low, high] = rangeOf(dtype);
  const entries = Array.from({ length: high - low + 1 }, (_, i) => {
    const value = valueAt(low + i);
    if (Number.isNaN(value)) refuseNode(node, `value at ${low + i}`, 'a number', 'NaN');
    return quantize(value, params, to.dtype);
  });
  return emitTable(builder, name, source.tensor, entries, to.dtype);
}

function emitTable(
  builder: GraphBuilder,
  name: string,
  source: Tensor,
  entries: readonly number[],
  dtype: Dtype,
): Tensor {
  const [low, high] = rangeOf(source.dtype);
  const [yMin, yMax] = rangeOf(dtype);
  const at = (q: number): number => entries[q - low]!;
  const type = { dtype, shape: source.shape };
  if (dtype === source.dtype && entries.every((y, i) => y === low + i)) return source;
  const data = newTensorData(dtype, 256);
  // Gather counts negative indices from the end, so the table of an int8 is rotated by 128.
  for (let q = low; q <= high; q++) data[q & 255] = at(q) as never;
  const gather: NodeParts[] = [
    { type: 'Cast', inputs: [source.name], attributes: { to: { kind: 'int', value: dtypeCodes.int32 } } },
    {
      type: 'Gather',
      inputs: [builder.constant(`${name}/table`, { dtype, shape: [256], data }).name, `${name}/index`],
      attributes: { axis: { kind: 'int', value: 0 } },
    },
  ];
  if (entries.every((y, i) => i === 0 || y >= entries[i - 1]!)) {
    const staircase = staircaseOf(at, { accMin: low, accMax: high, yMin, yMax });
    const slope = Math.max((at(high) - at(low)) / 255, 1 / 256);
    const fit = fitStaircase({ ...staircase, slope: steepest(entries) || slope, zeroPoint: 0 });
    if (fit.kind === 'floor' && fit.exceptions.length === 0 && fit.b <= 2 ** 13) {
      const outputs = [builder.fresh(`${name}/index`), builder.fresh(name)];
      gather[1] = { ...gather[1]!, inputs: [gather[1]!.inputs[0]!, outputs[0]!] };
      return builder.emitTwoForms(
        name,
        type,
        rescale([source.name], { coefficients: [fit.a], offset: fit.c, divisor: fit.b }, dtype),
        gather,
        outputs,
      );
    }
  }
  const index = builder.emit(`${name}/index`, { dtype: 'int32', shape: source.shape }, gather[0]!);
  return builder.emit(name, type, { ...gather[1]!, inputs: [gather[1]!.inputs[0]!, index.name] });
}

/** The compiler-only node of a sum form. */
export function rescale(inputs: readonly string[], form: SumForm, dtype: Dtype): NodeParts {
  const int = (value: number): AttributeValue => ({ kind: 'int', value });
  const ties = form.zeroPoint === undefined ? undefined : { ties: int(1), zero_point: int(form.zeroPoint) };
  return {
    domain: 'verinfer',
    type: 'Rescale',
    inputs,
    attributes: {
      coefficients: { kind: 'ints', value: form.coefficients },
      offset: int(form.offset),
      divisor: int(form.divisor),
      to: int(dtypeCodes[dtype]),
      ...ties,
    },
  };
}

/** Slope between the first and the last step of a table: that of the line under a clamped staircase. */
function steepest(entries: readonly number[]): number {
  const first = entries.findIndex((y, i) => i > 0 && y !== entries[i - 1]);
  const last = entries.findLastIndex((y, i) => i > 0 && y !== entries[i - 1]);
  return last > first ? (entries[last]! - entries[first]!) / (last - first) : 0;
}
