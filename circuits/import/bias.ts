/** The bias of a linear layer as int32 at the scale of its accumulator. */
import { refuseNode } from '../onnx/node.js';
import type { GraphNode } from '../onnx/graph.js';
import { constantOf } from './constant-float.js';
import { integerBias } from './linear.js';
import { perTensor, type Quantization } from './quantization.js';
import type { Float } from './value.js';

/** A bias as one int32 a channel: as given if it has the scale sx·sw, else rounded to it, with a note. */
export function integerBiasOf(
  node: GraphNode,
  bias: Float,
  x: Quantization,
  w: Quantization,
  channels: number,
  notes: string[],
): Int32Array {
  const { scale } = perTensor(node, x);
  const units = Float32Array.from({ length: channels }, (_, c) =>
    Math.fround(scale * w.scales[w.scales.length === 1 ? 0 : c]!),
  );
  if (bias.op === 'dequantized' && bias.constant && bias.quantization.zeroPoints.every((z) => z === 0)) {
    const { scales } = bias.quantization;
    // Exporters compute sx·sw in double or float32; the last bits of the product may differ from ours.
    const fits = units.every((unit, c) => Math.abs(scales[scales.length === 1 ? 0 : c]! / unit - 1) < 1e-5);
    if (fits) return spread(Int32Array.from(bias.constant.data as Int32Array), channels, node);
  }
  const values = constantOf(bias);
  if (!values) refuseNode(node, 'bias', 'a constant', 'a value computed at run time');
  notes.push(`node "${node.name}" (${node.type}): bias rounded to int32 at scale sx·sw`);
  return integerBias(node, spreadFloat(values.data as Float32Array, channels, node), x, w);
}

function spread(values: Int32Array, channels: number, node: GraphNode): Int32Array {
  if (values.length === channels) return values;
  if (values.length === 1) return new Int32Array(channels).fill(values[0]!);
  return refuseNode(node, 'bias', `${channels} numbers`, values.length);
}

function spreadFloat(values: Float32Array, channels: number, node: GraphNode): Float32Array {
  if (values.length === channels) return values;
  if (values.length === 1) return new Float32Array(channels).fill(values[0]!);
  return refuseNode(node, 'bias', `${channels} numbers`, values.length);
}
