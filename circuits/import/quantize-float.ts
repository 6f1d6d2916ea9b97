/**
 * A float expression and the quantization asked for → the integer tensor that stands for it. This is where a QDQ graph
 * becomes a QOperator graph: everything between DequantizeLinear and QuantizeLinear turns into one integer operator.
 */
import type { AttributeValue, ConstantTensor, Dtype, GraphNode } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import { sizeOf, stridesOf } from '../onnx/shape.js';
import { dtypeCodes, newTensorData } from '../onnx/tensor.js';
import type { GraphBuilder, NodeParts, Tensor } from './builder.js';
import { staircaseOf, fitStaircase } from './fit.js';
import { emitConvolution, emitMatrixProduct, integerBias, type Operand } from './linear.js';
import { evaluatePointwise } from './pointwise.js';
import {
  dequantize,
  perTensor,
  quantize,
  quantizerDomain,
  rangeOf,
  sameQuantization,
  scaleTensor,
  zeroPointTensor,
  type Quantization,
} from './quantization.js';
import { fitEvenSum, fitSum, type PairFunction, type SumForm } from './sum.js';
import type { DequantizedFloat, Float, LinearFloat, PointwiseFloat } from './value.js';

/** Channels with constants of their own become so many small expressions. */
const MAX_SLICES = 1024;

export class FloatQuantizer {
  private readonly done = new Map<Float, { to: Quantization; tensor: Tensor }[]>();

  constructor(
    private readonly builder: GraphBuilder,
    private readonly notes: string[],
    /** Emits a float outside the proof. */
    private readonly emitFloat: (float: Float) => Tensor,
  ) {}

  /** The integers of `float` under `to`; `node` is the QuantizeLinear that asks. */
  quantize(float: Float, to: Quantization, node: GraphNode): Tensor {
    const known = this.done.get(float)?.find((entry) => sameQuantization(entry.to, to));
    if (known) return known.tensor;
    const tensor = this.emit(float, to, node);
    this.done.set(float, [...(this.done.get(float) ?? []), { to, tensor }]);
    return tensor;
  }

  private emit(float: Float, to: Quantization, node: GraphNode): Tensor {
    switch (float.op) {
      case 'input':
        return this.quantizeLinear(float.name, float.shape, to, node);
      case 'constant':
        return this.builder.constant(node.outputs[0]!, this.quantizedConstant(float.tensor, to, node));
      case 'dequantized':
        return this.requantize(float, to, node);
      case 'linear':
        return this.linear(float, to);
      case 'moved':
        perTensor(node, to);
        return float.apply(
          float.sources.map((source) => this.quantize(source, to, node)),
          to,
        );
      case 'pooled':
        return float.emit(float.source, to);
      case 'pointwise':
        return this.pointwise(float, to, node);
      case 'tail':
        return this.quantizeLinear(this.emitFloat(float).name, float.shape, to, node);
    }
  }

  /** A QuantizeLinear outside the proof: of an input of the graph, or at its very end. */
  private quantizeLinear(input: string, shape: readonly number[], to: Quantization, node: GraphNode): Tensor {
    const axis: AttributeValue | undefined =
      to.axis === undefined ? undefined : { kind: 'int', value: to.axis };
    return this.builder.emit(
      node.name,
      { dtype: to.dtype, shape },
      {
        type: 'QuantizeLinear',
        domain: quantizerDomain(to.dtype),
        ...(axis && { attributes: { axis } }),
        inputs: [
          input,
          this.builder.constant('scale', scaleTensor(to)).name,
          this.builder.constant('zero_point', zeroPointTensor(to)).name,
        ],
      },
    );
  }

  private quantizedConstant(tensor: ConstantTensor, to: Quantization, node: GraphNode): ConstantTensor {
    const params = perTensor(node, to);
    const data = newTensorData(to.dtype, tensor.data.length);
    for (let i = 0; i < data.length; i++)
      data[i] = quantize(Number(tensor.data[i]), params, to.dtype) as never;
    return { dtype: to.dtype, shape: tensor.shape, data };
  }

  private requantize(float: DequantizedFloat, to: Quantization, node: GraphNode): Tensor {
    if (sameQuantization(float.quantization, to)) return float.tensor;
    const from = perTensor(node, float.quantization);
    return this.unary(node.name, float, to, (q) => dequantize(q, from), node);
  }

  private linear(float: LinearFloat, to: Quantization): Tensor {
    const { node, product, shape } = float;
    if (product.kind === 'matmul') {
      if (float.bias) return this.biasedProduct(float, to);
      return emitMatrixProduct(this.builder, {
        node,
        name: node.name,
        a: product.a,
        b: product.b,
        to,
        shape,
      });
    }
    const attributes: Record<string, readonly number[] | number> = {};
    for (const [name, value] of node.attributes) {
      if (
        ['dilations', 'group', 'kernel_shape', 'pads', 'strides'].includes(name) &&
        (value.kind === 'ints' || value.kind === 'int')
      )
        attributes[name] = value.value;
    }
    const autoPad = node.attributes.get('auto_pad');
    if (autoPad?.kind === 'string' && autoPad.value !== 'NOTSET')
      refuseNode(node, 'auto_pad', 'replaced by pads before lowering', autoPad.value);
    const bias =
      float.bias &&
      integerBiasOf(
        node,
        float.bias,
        product.x.quantization,
        product.w.quantization,
        product.w.shape[0]!,
        this.notes,
      );
    return emitConvolution(this.builder, {
      node,
      name: node.name,
      x: product.x,
      w: product.w,
      bias,
      to,
      shape,
      attributes,
    });
  }

  /** [.., K]·[K, N] + bias as a 1×1 convolution: the standard matrix kernel has no bias. */
  private biasedProduct(float: LinearFloat, to: Quantization): Tensor {
    const { node, product, shape } = float;
    if (product.kind !== 'matmul') throw new Error('only matrix products are biased here');
    const { a, b } = product;
    const weights = b.constant;
    if (!weights || weights.shape.length !== 2)
      refuseNode(
        node,
        'second operand',
        'a constant matrix where a bias is added',
        weights ? [...weights.shape] : 'an activation',
      );
    const [k, n] = weights.shape as [number, number];
    const rows = sizeOf(a.shape) / k;
    const data = newTensorData(weights.dtype, k * n);
    for (let i = 0; i < k; i++)
      for (let j = 0; j < n; j++) data[j * k + i] = weights.data[i * n + j]! as never;
    const kernel: ConstantTensor = { dtype: weights.dtype, shape: [n, k, 1, 1], data };
    const x = this.reshape(`${node.name}/rows`, a.tensor, [rows, k, 1, 1]);
    const bias = integerBiasOf(node, float.bias!, a.quantization, b.quantization, n, this.notes);
    const y = emitConvolution(this.builder, {
      node,
      name: node.name,
      x: { tensor: x, quantization: a.quantization },
      w: {
        tensor: this.builder.constant(`${node.name}/weights`, kernel),
        quantization: { ...b.quantization, axis: b.quantization.axis === undefined ? undefined : 0 },
        constant: kernel,
      },
      bias,
      to,
      shape: [rows, n, 1, 1],
      attributes: { kernel_shape: [1, 1] },
    });
    return this.reshape(`${node.name}/result`, y, shape);
  }

  reshape(name: string, tensor: Tensor, shape: readonly number[]): Tensor {
    if (tensor.shape.length === shape.length && tensor.shape.every((dim, i) => dim === shape[i]))
      return tensor;
    return this.builder.emit(
      name,
      { dtype: tensor.dtype, shape },
      { type: 'Reshape', inputs: [tensor.name, this.builder.int64s('shape', shape).name] },
    );
  }

  private pointwise(float: PointwiseFloat, to: Quantization, node: GraphNode): Tensor {
    const leaves = [...new Set(leavesOf(float))];
    const dynamic = leaves.filter((leaf) => !constantOf(leaf));
    const clamp = clampOf(float);
    // A clamp of something that is quantized as a whole: quantization is monotone, so it commutes.
    if (clamp && (dynamic.length !== 1 || dynamic[0]!.op !== 'dequantized'))
      return this.clamp(float, clamp, to, node);
    if ((float.node.type === 'Max' || float.node.type === 'Min') && dynamic.length > 1)
      return this.extremum(float, to, node);
    for (const leaf of dynamic) {
      if (leaf.op === 'dequantized') continue;
      const got =
        leaf.op === 'input'
          ? 'a float input of the graph'
          : `the float result of node "${'node' in leaf ? leaf.node.name : ''}"`;
      refuseNode(float.node, 'inputs', 'quantized (the output of a DequantizeLinear)', got);
    }
    const axes = varyingAxes(float, leaves);
    if (axes.length > 1)
      refuseNode(float.node, 'constants and scales', 'varying along one axis at most', `${axes.length} axes`);
    if (axes.length === 1) return this.alongAxis(float, axes[0]!, to, node);
    const sources = dynamic as DequantizedFloat[];
    if (sources.length === 1) {
      const source = sources[0]!;
      const from = perTensor(float.node, source.quantization);
      const tensor = this.unary(
        float.node.name,
        source,
        to,
        (q) => evaluate(float, new Map([[source, dequantize(q, from)]])),
        float.node,
      );
      return this.broadcast(float.node.name, tensor, float.shape);
    }
    if (sources.length === 2) return this.pair(float, sources as [DequantizedFloat, DequantizedFloat], to);
    return refuseNode(float.node, 'quantized operands between Q and DQ', '1 or 2', sources.length);
  }

  private broadcast(name: string, tensor: Tensor, shape: readonly number[]): Tensor {
    if (tensor.shape.join() === shape.join()) return tensor;
    return this.builder.emit(
      `${name}/broadcast`,
      { dtype: tensor.dtype, shape },
      { type: 'Expand', inputs: [tensor.name, this.builder.int64s('shape', shape).name] },
    );
  }

  /** Max and Min commute with quantization, operand by operand. */
  private extremum(float: PointwiseFloat, to: Quantization, node: GraphNode): Tensor {
    perTensor(node, to);
    const inputs = float.args.map((arg) => this.quantize(arg, to, node).name);
    return this.builder.emit(
      float.node.name,
      { dtype: to.dtype, shape: float.shape },
      { type: float.node.type, inputs },
    );
  }

  /** Constants or scales differ along one axis: each index of it is an expression of its own. */
  private alongAxis(float: PointwiseFloat, axis: number, to: Quantization, node: GraphNode): Tensor {
    const fromEnd = float.shape.length - axis;
    const count = float.shape[axis]!;
    if (count > MAX_SLICES)
      refuseNode(float.node, 'constants that vary', `along an axis of at most ${MAX_SLICES}`, count);
    const slices = new Map<string, DequantizedFloat>();
    const parts = Array.from({ length: count }, (_, k) =>
      this.quantize(this.slice(float, fromEnd, k, slices), to, node),
    );
    return this.builder.emit(
      float.node.name,
      { dtype: to.dtype, shape: float.shape },
      {
        type: 'Concat',
        inputs: parts.map(({ name }) => name),
        attributes: { axis: { kind: 'int', value: axis } },
      },
    );
  }

  /** The expression at index k of the axis that lies `fromEnd` places before the end. */
  private slice(float: Float, fromEnd: number, k: number, slices: Map<string, DequantizedFloat>): Float {
    const axis = float.shape.length - fromEnd;
    if (axis < 0 || (float.shape[axis] === 1 && float.op !== 'pointwise')) return float;
    const shape = float.shape.map((dim, i) => (i === axis ? 1 : dim));
    const constant = constantOf(float);
    if (constant) {
      const inner = sizeOf(shape.slice(axis + 1));
      const data = (constant.data as Float32Array).filter(
        (_, i) => Math.floor(i / inner) % float.shape[axis]! === k,
      );
      return { op: 'constant', shape, tensor: { dtype: 'float32', shape, data } };
    }
    if (float.op === 'pointwise')
      return { ...float, shape, args: float.args.map((arg) => this.slice(arg, fromEnd, k, slices)) };
    if (float.op !== 'dequantized') throw new Error('leaves were checked to be quantized');
    const { tensor, quantization } = float;
    const key = `${tensor.name}|${axis}|${k}`;
    const known = slices.get(key);
    if (known) return known;
    const bounds = [[k], [k + 1], [axis]].map((values) => this.builder.int64s('slice', values).name);
    const part = this.builder.emit(
      `${tensor.name}/${k}`,
      { dtype: tensor.dtype, shape },
      { type: 'Slice', inputs: [tensor.name, ...bounds] },
    );
    const own = quantization.axis === axis;
    const result: DequantizedFloat = {
      op: 'dequantized',
      shape,
      tensor: part,
      quantization: own
        ? {
            ...quantization,
            axis: undefined,
            scales: quantization.scales.slice(k, k + 1),
            zeroPoints: [quantization.zeroPoints[k]!],
          }
        : quantization,
    };
    slices.set(key, result);
    return result;
  }

  private clamp(
    float: PointwiseFloat,
    { argument, low, high }: Clamp,
    to: Quantization,
    node: GraphNode,
  ): Tensor {
    const params = perTensor(node, to);
    const inner = this.quantize(argument, to, node);
    const [yMin, yMax] = rangeOf(to.dtype);
    const [from, upTo] = [quantize(low, params, to.dtype), quantize(high, params, to.dtype)];
    if (from <= yMin && upTo >= yMax) return inner;
    return this.builder.emit(
      float.node.name,
      { dtype: to.dtype, shape: float.shape },
      {
        type: 'Clip',
        inputs: [
          inner.name,
          this.builder.scalar('low', to.dtype, from).name,
          this.builder.scalar('high', to.dtype, upTo).name,
        ],
      },
    );
  }

  /** A function of one quantized value: a table of at most 256 entries, or a cheaper staircase when it is one. */
  private unary(
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
    return this.table(name, source.tensor, entries, to.dtype);
  }

  private table(name: string, source: Tensor, entries: readonly number[], dtype: Dtype): Tensor {
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
        inputs: [this.builder.constant(`${name}/table`, { dtype, shape: [256], data }).name, `${name}/index`],
        attributes: { axis: { kind: 'int', value: 0 } },
      },
    ];
    if (entries.every((y, i) => i === 0 || y >= entries[i - 1]!)) {
      const staircase = staircaseOf(at, { accMin: low, accMax: high, yMin, yMax });
      const slope = Math.max((at(high) - at(low)) / 255, 1 / 256);
      const fit = fitStaircase({ ...staircase, slope: steepest(entries) || slope, zeroPoint: 0 });
      if (fit.kind === 'floor' && fit.exceptions.length === 0 && fit.b <= 2 ** 13) {
        const outputs = [this.builder.fresh(`${name}/index`), this.builder.fresh(name)];
        gather[1] = { ...gather[1]!, inputs: [gather[1]!.inputs[0]!, outputs[0]!] };
        return this.builder.emitTwoForms(
          name,
          type,
          rescale([source.name], { coefficients: [fit.a], offset: fit.c, divisor: fit.b }, dtype),
          gather,
          outputs,
        );
      }
    }
    const index = this.builder.emit(`${name}/index`, { dtype: 'int32', shape: source.shape }, gather[0]!);
    return this.builder.emit(name, type, { ...gather[1]!, inputs: [gather[1]!.inputs[0]!, index.name] });
  }

  /** A function of two quantized values, as one division of an integer combination. */
  private pair(
    float: PointwiseFloat,
    sources: readonly [DequantizedFloat, DequantizedFloat],
    to: Quantization,
  ): Tensor {
    const { node } = float;
    if (node.type === 'Mul' && float.args.every((arg) => arg.op === 'dequantized'))
      return this.product(float, sources, to);
    const [p, q] = sources.map((source) => perTensor(node, source.quantization)) as [
      ReturnType<typeof perTensor>,
      ReturnType<typeof perTensor>,
    ];
    const params = perTensor(node, to);
    const real = (x: number, y: number): number =>
      evaluate(
        float,
        new Map([
          [sources[0], x],
          [sources[1], y],
        ]),
      );
    const pairs: PairFunction = {
      p: rangeOf(sources[0].quantization.dtype),
      q: rangeOf(sources[1].quantization.dtype),
      y: rangeOf(to.dtype),
      valueAt: (x, y) => quantize(real(dequantize(x, p), dequantize(y, q)), params, to.dtype),
      slopes: [
        (real(1, 0) - real(0, 0)) * (p.scale / params.scale),
        (real(0, 1) - real(0, 0)) * (q.scale / params.scale),
      ],
    };
    const form =
      fitEvenSum({ ...pairs, zeroPoints: [p.zeroPoint, q.zeroPoint, params.zeroPoint] }) ?? fitSum(pairs);
    if (!form)
      refuseNode(
        node,
        'function of two quantized values',
        'a linear one that a division by at most 2^18 reproduces',
        node.type,
      );
    const shapes = this.expressionNodes(float, sources, to);
    return this.builder.emitTwoForms(
      node.name,
      { dtype: to.dtype, shape: float.shape },
      rescale(
        sources.map(({ tensor }) => tensor.name),
        form,
        to.dtype,
      ),
      shapes.parts,
      shapes.outputs,
    );
  }

  /** An elementwise product: 1×1 matrix products, whose kernel rounds f32(f32(sa·sb)/sy)·(a − za)(b − zb) once. */
  private product(
    float: PointwiseFloat,
    sources: readonly [DequantizedFloat, DequantizedFloat],
    to: Quantization,
  ): Tensor {
    const { node, shape } = float;
    const count = sizeOf(shape);
    const [a, b] = sources.map((source) => {
      const whole = this.broadcast(node.name, source.tensor, shape);
      return {
        tensor: this.reshape(`${node.name}/scalars`, whole, [count, 1, 1]),
        quantization: source.quantization,
      };
    }) as [Operand, Operand];
    const y = emitMatrixProduct(this.builder, { node, name: node.name, a, b, to, shape: [count, 1, 1] });
    return this.reshape(`${node.name}/result`, y, shape);
  }

  /** The expression as the standard float nodes it was uploaded as: what the integer form was checked against. */
  private expressionNodes(
    float: PointwiseFloat,
    sources: readonly DequantizedFloat[],
    to: Quantization,
  ): { parts: NodeParts[]; outputs: string[] } {
    const parts: NodeParts[] = [];
    const outputs: string[] = [];
    const names = new Map<Float, string>();
    const add = (wish: string, part: NodeParts): string => {
      const output = this.builder.fresh(wish);
      parts.push(part);
      outputs.push(output);
      return output;
    };
    const visit = (value: Float): string => {
      const known = names.get(value);
      if (known !== undefined) return known;
      let name: string;
      const constant = constantOf(value);
      if (constant) name = this.builder.constant('operand', constant).name;
      else if (value.op === 'dequantized') {
        const { quantization, tensor } = value;
        name = add(`${tensor.name}/float`, {
          type: 'DequantizeLinear',
          inputs: [
            tensor.name,
            this.builder.constant('scale', scaleTensor(quantization)).name,
            this.builder.constant('zero_point', zeroPointTensor(quantization)).name,
          ],
        });
      } else if (value.op === 'pointwise') {
        const inputs = value.args.map(visit);
        name = add(`${value.node.name}/float`, {
          type: value.node.type,
          inputs,
          attributes: Object.fromEntries(value.node.attributes),
        });
      } else return refuseNode(float.node, 'operands', 'quantized or constant', value.op);
      names.set(value, name);
      return name;
    };
    const result = visit(float);
    add(float.node.name, {
      type: 'QuantizeLinear',
      inputs: [
        result,
        this.builder.constant('scale', scaleTensor(to)).name,
        this.builder.constant('zero_point', zeroPointTensor(to)).name,
      ],
    });
    return { parts, outputs };
  }
}

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

function rescale(inputs: readonly string[], form: SumForm, dtype: Dtype): NodeParts {
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

function leavesOf(float: Float): Float[] {
  return float.op === 'pointwise' ? float.args.flatMap(leavesOf) : [float];
}

/** The float value of a leaf that is known when the model is loaded. */
export function constantOf(float: Float): ConstantTensor | undefined {
  if (float.op === 'constant') return float.tensor;
  if (float.op !== 'dequantized' || !float.constant) return undefined;
  const { quantization, constant } = float;
  const { scales, zeroPoints, axis } = quantization;
  const inner = axis === undefined ? 1 : sizeOf(constant.shape.slice(axis + 1));
  const data = Float32Array.from({ length: constant.data.length }, (_, i) => {
    const channel = axis === undefined ? 0 : Math.floor(i / inner) % scales.length;
    return dequantize(Number(constant.data[i]), { scale: scales[channel]!, zeroPoint: zeroPoints[channel]! });
  });
  return { dtype: 'float32', shape: constant.shape, data };
}

function evaluate(float: Float, values: ReadonlyMap<Float, number>): number {
  const given = values.get(float);
  if (given !== undefined) return given;
  if (float.op === 'pointwise')
    return evaluatePointwise(
      float.node,
      float.args.map((arg) => evaluate(arg, values)),
    );
  const constant = constantOf(float);
  if (!constant) throw new Error(`no value for a ${float.op} leaf`);
  return Number(constant.data[0]);
}

/** Axes of the result along which a constant, or the scale of an operand, is not one number. */
function varyingAxes(float: PointwiseFloat, leaves: readonly Float[]): number[] {
  const axes = new Set<number>();
  for (const leaf of leaves) {
    const shift = float.shape.length - leaf.shape.length;
    const constant = constantOf(leaf);
    if (!constant) {
      if (leaf.op === 'dequantized' && leaf.quantization.axis !== undefined)
        axes.add(leaf.quantization.axis + shift);
      continue;
    }
    const data = constant.data as Float32Array;
    stridesOf(leaf.shape).forEach((stride, axis) => {
      const varies = data.some(
        (value, i) => Math.floor(i / stride) % leaf.shape[axis]! > 0 && value !== data[i - stride],
      );
      if (varies) axes.add(axis + shift);
    });
  }
  return [...axes];
}

interface Clamp {
  readonly argument: Float;
  readonly low: number;
  readonly high: number;
}

/** Relu or Clip with constant scalar bounds. */
function clampOf(float: PointwiseFloat): Clamp | undefined {
  const { node, args } = float;
  if (node.type === 'Relu') return { argument: args[0]!, low: 0, high: Infinity };
  if (node.type !== 'Clip') return undefined;
  const bounds = [-Infinity, Infinity].map((x) =>
    evaluatePointwise(node, [x, ...args.slice(1).map((arg) => Number(constantOf(arg)?.data[0]))]),
  );
  return bounds.some(Number.isNaN) ? undefined : { argument: args[0]!, low: bounds[0]!, high: bounds[1]! };
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
