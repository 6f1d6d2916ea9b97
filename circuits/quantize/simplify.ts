/**
 * Float graph → plain nodes. Identities vanish; matrix products with a constant become `linear`; batch normalization and
 * arithmetic with constants become element-wise affine maps, which fold into the layer before or after wherever the
 * result is the same function; averages become convolutions or linear maps.
 */
import type { ConstantTensor, Graph, GraphNode } from '../onnx/graph.js';
import { contextOf, inferTypes } from '../onnx/infer.js';
import { floatAttribute, intAttribute, refuseNode } from '../onnx/node.js';
import { sizeOf, type ValueType } from '../onnx/shape.js';
import type { Wiring } from '../onnx/shape.js';
import { wiringOf } from '../onnx/wiring.js';
import {
  averageAsConv,
  computedGemm,
  leftProductAsLinear,
  reduceAsLinear,
  sumAsAdditions,
  transposed,
  transposedConvAsConv,
  vectorProductAsLinear,
} from './rewrites.js';
import { type AffineMap, readAffine, spread } from './affine-map.js';
import { perChannel, type PlainGraph, type PlainNode } from './plain.js';

export function simplify(graph: Graph): PlainGraph {
  return new Simplifier(graph).run();
}

export class Simplifier {
  readonly types: Map<string, ValueType>;
  readonly nodes: PlainNode[] = [];
  readonly #alias = new Map<string, string>();
  readonly #readers = new Map<string, number>();
  readonly #pending = new Map<string, AffineMap>();

  constructor(readonly graph: Graph) {
    this.types = new Map(inferTypes(graph));
  }

  run(): PlainGraph {
    const { graph } = this;
    const kept = graph.nodes.filter((node) => !this.#vanishes(node));
    for (const node of kept) for (const input of node.inputs) this.#count(this.resolve(input));
    for (const output of graph.outputs) this.#count(this.resolve(output.name), 2);
    for (const node of kept) this.add(node);
    const outputs = new Map(graph.outputs.map(({ name }) => [name, this.resolve(name)]));
    for (const value of outputs.values()) this.materialize(value);
    return { nodes: this.nodes, types: this.types, outputs };
  }

  resolve(name: string): string {
    return this.#alias.get(name) ?? name;
  }

  /** A graph output counts twice, so that nothing is folded past it. */
  #count(name: string, times = 1): void {
    this.#readers.set(name, (this.#readers.get(name) ?? 0) + times);
  }

  #isOnlyReader(name: string): boolean {
    return this.#readers.get(name) === 1;
  }

  constant(name: string | undefined): ConstantTensor | undefined {
    return name ? this.graph.constants.get(name) : undefined;
  }

  shape(name: string): readonly number[] {
    return this.types.get(name)!.shape;
  }

  #vanishes(node: GraphNode): boolean {
    const isIdentity =
      node.type === 'Identity' ||
      node.type === 'Dropout' ||
      (node.type === 'Cast' &&
        intAttribute(node, 'to', 0) === 1 &&
        this.types.get(node.inputs[0]!)?.dtype === 'float32');
    if (!isIdentity || node.domain !== '') return false;
    this.#alias.set(node.outputs[0]!, this.resolve(node.inputs[0]!));
    return true;
  }

  add(original: GraphNode): void {
    const node = { ...original, inputs: original.inputs.map((input) => this.resolve(input)) };
    const context = contextOf(original, this.graph, this.types);
    const affine = node.domain === '' ? readAffine(node, this) : undefined;
    if (affine) return this.addAffine(node, affine.source, affine.scale, affine.shift);
    const wirings = wiringOf(context);
    if (wirings) return wirings.forEach((wiring, i) => this.addWiring(node, wiring, i));
    if (node.domain === '')
      switch (node.type) {
        case 'MatMul':
          if (this.constant(node.inputs[0])) return leftProductAsLinear(this, node);
          if (this.constant(node.inputs[1])) return this.#addProduct(node);
          break;
        case 'Gemm':
          if (this.constant(node.inputs[1])) return this.#addProduct(node);
          return computedGemm(this, node);
        case 'Conv':
          if (this.constant(node.inputs[1])) return this.#addConvNode(node);
          break;
        case 'ConvTranspose':
          if (this.constant(node.inputs[1])) return transposedConvAsConv(this, node, context);
          break;
        case 'AveragePool':
          return averageAsConv(this, node, context);
        case 'Sum':
        case 'Mean':
          return sumAsAdditions(this, node);
        case 'GlobalAveragePool':
        case 'ReduceMean':
        case 'ReduceSum':
          return reduceAsLinear(this, node, context);
      }
    this.addOperator(node);
  }

  /** Emits a pending affine map under the name of the value it computes. */
  materialize(name: string): void {
    const pending = this.#pending.get(name);
    if (!pending) return;
    this.#pending.delete(name);
    const { source, scale, shift } = pending;
    this.nodes.push({ kind: 'affine', name: `affine_${name}`, inputs: [source], output: name, scale, shift });
  }

  addAffine(node: GraphNode, given: string, scale: Float32Array, shift: Float32Array): void {
    const output = node.outputs[0]!;
    let source = given;
    const before = this.#pending.get(given);
    if (before && this.#isOnlyReader(given)) {
      shift = shift.map((t, i) => t + scale[i]! * before.shift[i]!);
      scale = scale.map((s, i) => s * before.scale[i]!);
      source = before.source;
      this.#pending.delete(given);
    } else this.materialize(given);
    if (!this.#foldBack(source, output, scale, shift)) this.#pending.set(output, { source, scale, shift });
  }

  /** y = scale·(layer) + shift as one layer, if no one else reads the layer and each output channel has one map. */
  #foldBack(source: string, output: string, scale: Float32Array, shift: Float32Array): boolean {
    const at = this.nodes.findIndex((node) => node.output === source);
    const layer = this.nodes[at];
    if (!layer || !this.#isOnlyReader(source) || (layer.kind !== 'conv' && layer.kind !== 'linear'))
      return false;
    const shape = this.shape(source);
    const axis = layer.kind === 'conv' ? 1 : shape.length - 1;
    const [scales, shifts] = [perChannel(scale, shape, axis), perChannel(shift, shape, axis)];
    if (!scales || !shifts) return false;
    const weightsEach = layer.weights.length / layer.bias.length;
    const weights = layer.weights.map((w, i) => w * scales[Math.floor(i / weightsEach)]!);
    const bias = layer.bias.map((b, c) => b * scales[c]! + shifts[c]!);
    this.nodes.splice(at, 1);
    this.nodes.push({ ...layer, weights, bias, output });
    return true;
  }

  addWiring(node: GraphNode, wiring: Wiring, outputIndex = 0): void {
    const output = node.outputs[outputIndex]!;
    if (output === '') return;
    const inputs = wiring.sources.map((i) => node.inputs[i]!);
    const pending = this.#pending.get(inputs[0]!);
    const name = node.outputs.length > 1 ? `${node.name}_${outputIndex}` : node.name;
    if (inputs.length === 1 && pending && this.#isOnlyReader(inputs[0]!) && node.outputs.length === 1) {
      const map = wiring.map();
      const raw = `${output}_before_affine`;
      this.#pending.delete(inputs[0]!);
      this.types.set(raw, { dtype: 'float32', shape: wiring.shape });
      this.#readers.set(raw, 1);
      this.nodes.push({ kind: 'wiring', name, inputs: [pending.source], output: raw, wiring, node });
      this.#pending.set(output, {
        source: raw,
        scale: Float32Array.from(map, (from) => (from < 0 ? 1 : pending.scale[from]!)),
        shift: Float32Array.from(map, (from) => (from < 0 ? 0 : pending.shift[from]!)),
      });
      return;
    }
    for (const input of inputs) this.materialize(input);
    for (const input of inputs)
      if (this.constant(input)) refuseNode(node, 'input', 'a computed value', `the constant "${input}"`);
    this.nodes.push({ kind: 'wiring', name, inputs, output, wiring, node });
  }

  #addProduct(node: GraphNode): void {
    const weight = this.constant(node.inputs[1])!;
    if (weight.dtype !== 'float32') refuseNode(node, 'B', 'float32', weight.dtype);
    if (weight.shape.length === 1) return vectorProductAsLinear(this, node, weight.data as Float32Array);
    if (weight.shape.length !== 2) refuseNode(node, 'B', 'a matrix', `[${weight.shape.join(',')}]`);
    const [isTransposed, alpha, beta] =
      node.type === 'Gemm'
        ? [
            intAttribute(node, 'transB', 0) !== 0,
            floatAttribute(node, 'alpha', 1),
            floatAttribute(node, 'beta', 1),
          ]
        : [false, 1, 1];
    const outputs = weight.shape[isTransposed ? 0 : 1]!;
    const inputs = weight.shape[isTransposed ? 1 : 0]!;
    const source = weight.data as Float32Array;
    const weights = new Float32Array(source.length);
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++)
        weights[o * inputs + i] = alpha * source[isTransposed ? o * inputs + i : i * outputs + o]!;
    const bias = new Float32Array(outputs);
    if (node.inputs[2]) {
      const given = this.constant(node.inputs[2]) ?? refuseNode(node, 'C', 'a constant', 'a computed value');
      const wide = spread(given, this.shape(node.outputs[0]!));
      const one =
        wide && perChannel(wide, this.shape(node.outputs[0]!), this.shape(node.outputs[0]!).length - 1);
      bias.set(
        (one ?? refuseNode(node, 'C', 'one bias an output column', `[${given.shape.join(',')}]`)).map(
          (b) => beta * b,
        ),
      );
    }
    const rows =
      node.type === 'Gemm' && intAttribute(node, 'transA', 0) !== 0
        ? transposed(this, node, node.inputs[0]!, `${node.outputs[0]!}_columns`)
        : node.inputs[0]!;
    this.addLinear(node.name, rows, node.outputs[0]!, weights, bias);
  }

  addLinear(name: string, given: string, output: string, weights: Float32Array, bias: Float32Array): void {
    const inputs = weights.length / bias.length;
    const pending = this.#pending.get(given);
    let source = given;
    if (pending && this.#isOnlyReader(given)) {
      const shape = this.shape(given);
      const scale = perChannel(pending.scale, shape, shape.length - 1);
      const shift = perChannel(pending.shift, shape, shape.length - 1);
      if (scale && shift) {
        bias = bias.map((b, o) => shift.reduce((sum, t, i) => sum + weights[o * inputs + i]! * t, b));
        weights = weights.map((w, k) => w * scale[k % inputs]!);
        this.#pending.delete(given);
        source = pending.source;
      }
    }
    this.materialize(source);
    this.nodes.push({ kind: 'linear', name, inputs: [source], output, weights, bias });
  }

  #addConvNode(node: GraphNode): void {
    const weight = this.constant(node.inputs[1])!;
    if (weight.dtype !== 'float32') refuseNode(node, 'W', 'float32', weight.dtype);
    const bias = node.inputs[2]
      ? ((this.constant(node.inputs[2])?.data as Float32Array | undefined) ??
        refuseNode(node, 'B', 'a constant', 'a computed value'))
      : new Float32Array(weight.shape[0]!);
    this.addConv(node, node.inputs[0]!, weight.shape, weight.data as Float32Array, bias);
  }

  /** @param node gives the name, the output and the window attributes. */
  addConv(
    node: GraphNode,
    given: string,
    weightShape: readonly number[],
    weights: Float32Array,
    bias: Float32Array,
  ): void {
    const pending = this.#pending.get(given);
    let source = given;
    if (pending && this.#isOnlyReader(given)) {
      const shape = this.shape(given);
      const scale = perChannel(pending.scale, shape, 1);
      const shift = perChannel(pending.shift, shape, 1);
      const isUnshifted = shift?.every((t) => t === 0) ?? false;
      if (scale && shift && (isUnshifted || !hasPadding(node))) {
        const group = intAttribute(node, 'group', 1);
        const [outs, ins] = weightShape as [number, number];
        const taps = sizeOf(weightShape.slice(2));
        const channelOf = (k: number): number =>
          Math.floor(Math.floor(k / (ins * taps)) / (outs / group)) * ins + (Math.floor(k / taps) % ins);
        bias = bias.slice();
        weights.forEach((w, k) => (bias[Math.floor(k / (ins * taps))]! += w * shift[channelOf(k)]!));
        weights = weights.map((w, k) => w * scale[channelOf(k)]!);
        this.#pending.delete(given);
        source = pending.source;
      }
    }
    this.materialize(source);
    this.nodes.push({
      kind: 'conv',
      name: node.name,
      inputs: [source],
      output: node.outputs[0]!,
      weights,
      weightShape,
      bias,
      node,
    });
  }

  addOperator(node: GraphNode): void {
    for (const input of node.inputs) this.materialize(input);
    this.nodes.push({
      kind: 'operator',
      name: node.name,
      inputs: node.inputs,
      output: node.outputs[0]!,
      node,
    });
  }

  /** A fresh value of the given shape with one reader. */
  fresh(name: string, shape: readonly number[]): string {
    this.types.set(name, { dtype: 'float32', shape });
    this.#readers.set(name, 1);
    return name;
  }
}

function hasPadding(node: GraphNode): boolean {
  const pads = node.attributes.get('pads');
  const autoPad = node.attributes.get('auto_pad');
  if (autoPad?.kind === 'string' && autoPad.value.startsWith('SAME')) return true;
  return pads?.kind === 'ints' && pads.value.some((pad) => pad !== 0);
}
