/** Operators that only move elements: of integers at once, of floats as soon as all sources mean the same by theirs. */
import type { ConstantTensor } from '../onnx/graph.js';
import { moved } from '../onnx/fold.js';
import { refuseNode } from '../onnx/node.js';
import { sizeOf, type NodeContext, type Wiring } from '../onnx/shape.js';
import { wiringOf } from '../onnx/wiring.js';
import type { Lowering } from './lowering.js';
import { dequantize, perTensor, quantize, sameQuantization, type Quantization } from './quantization.js';
import type { DequantizedFloat, Float } from './value.js';
import { emitWiring } from './wires.js';

export function lowerMove(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const wirings = wiringOf(context);
  if (!wirings)
    refuseNode(node, 'indices or mode', 'known when the model is loaded, no interpolation', node.type);
  wirings.forEach((wiring, i) => {
    const name = node.outputs[i];
    if (!name) return;
    const inputs = wiring.sources.map((source) => lowering.value(node.inputs[source]!)!);
    if (inputs.every((value) => value.kind === 'integer')) {
      const tensors = wiring.sources.map((source) => lowering.integer(node, source));
      lowering.setInteger(name, emitWiring(lowering.builder, context, wiring, tensors, wiring.fill ?? 0));
    } else {
      const floats = wiring.sources.map((source) => lowering.float(node, source));
      lowering.setFloat(
        name,
        moveDequantized(lowering, context, wiring, floats) ?? moveLater(lowering, context, wiring, floats),
      );
    }
  });
}

/** Moves the integers at once when all sources mean the same by them; undefined when they do not. */
export function moveDequantized(
  lowering: Lowering,
  context: NodeContext,
  wiring: Wiring,
  floats: readonly Float[],
): DequantizedFloat | undefined {
  const [first] = floats;
  if (first?.op !== 'dequantized') return undefined;
  const { quantization } = first;
  if (
    !floats.every((float) => float.op === 'dequantized' && sameQuantization(float.quantization, quantization))
  )
    return undefined;
  const sources = floats as DequantizedFloat[];
  const axis =
    quantization.axis === undefined ? undefined : movedAxis(context, quantization, first.shape, wiring.shape);
  if (quantization.axis !== undefined && axis === undefined) return undefined;
  let fill = 0;
  if (wiring.fill !== undefined) {
    if (quantization.axis !== undefined) return undefined;
    const params = perTensor(context.node, quantization);
    fill = quantize(wiring.fill, params, quantization.dtype);
    if (dequantize(fill, params) !== wiring.fill) return undefined;
  }
  const target = { ...quantization, axis };
  if (sources.every((source) => source.constant)) {
    const values = (i: number): ConstantTensor | undefined => sources[wiring.sources.indexOf(i)]?.constant;
    const constant = moved({ ...context, constant: values }, wiring.sources, wiring.map(), fill, {
      dtype: quantization.dtype,
      shape: wiring.shape,
    });
    return {
      op: 'dequantized',
      tensor: lowering.builder.constant(context.node.name, constant),
      quantization: target,
      shape: wiring.shape,
      constant,
    };
  }
  const tensor = emitWiring(
    lowering.builder,
    context,
    wiring,
    sources.map((source) => source.tensor),
    fill,
  );
  return { op: 'dequantized', tensor, quantization: target, shape: wiring.shape };
}

function moveLater(
  lowering: Lowering,
  context: NodeContext,
  wiring: Wiring,
  sources: readonly Float[],
): Float {
  return {
    op: 'moved',
    node: context.node,
    shape: wiring.shape,
    sources,
    apply: (tensors, to) => {
      const { fill = 0 } = wiring;
      const integer = to ? quantize(fill, perTensor(context.node, to), to.dtype) : fill;
      return emitWiring(lowering.builder, context, wiring, tensors, integer);
    },
  };
}

/** The axis along which a per-axis quantization runs after the move, if it still runs along one. */
function movedAxis(
  context: NodeContext,
  quantization: Quantization,
  from: readonly number[],
  to: readonly number[],
): number | undefined {
  const { node } = context;
  const axis = quantization.axis!;
  if (node.type === 'Transpose') {
    const perm = node.attributes.get('perm');
    return perm?.kind === 'ints' ? perm.value.indexOf(axis) : from.length - 1 - axis;
  }
  if (!['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity'].includes(node.type)) return undefined;
  // The same elements: the axis survives if some new axis has its size and as many elements inside it.
  const inner = sizeOf(from.slice(axis + 1));
  const at = to.findIndex((dim, i) => dim === from[axis] && sizeOf(to.slice(i + 1)) === inner);
  return at >= 0 ? at : undefined;
}
