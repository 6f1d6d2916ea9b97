/** The integer graph under construction: constants by content, nodes in order, and the integer twin of each value. */
import { ModelRefused } from '../errors.js';
import type { AttributeValue, ConstantTensor, Graph, GraphNode } from '../onnx/graph.js';
import type { ValueType } from '../onnx/shape.js';
import type { Scale } from './exponents.js';
import type { CalibrationMethod } from './lattice.js';

export interface QuantizeOptions {
  /** Width of weights and activations, 4 to 8. */
  readonly bits: number;
  readonly method: CalibrationMethod;
  /** Greatest divisor b of a requantization: ceil(log2 b) rows per activation. Odd, ≤ 32767. */
  readonly divisorMax: number;
}

/** An int8 value with scale 2^exponent. */
export interface QuantizedValue extends Scale {
  readonly name: string;
  readonly shape: readonly number[];
  /** A graph input with a scale and zero point per element of its last axis; exponent and zeroPoint do not apply. */
  readonly features?: { readonly scales: Float32Array; readonly zeroPoints: Int8Array };
}

export interface EmittedNode {
  readonly type: string;
  readonly domain?: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: ReadonlyMap<string, AttributeValue>;
}

/** Operators newer than the opset that suffices for the rest. */
const OPSET = 14;
const NEWER_OPSETS: Readonly<Record<string, number>> = { Gelu: 20, Mish: 18, Swish: 24 };

export class Emitter {
  readonly #constants = new Map<string, ConstantTensor>();
  readonly #nodes: GraphNode[] = [];
  readonly #opsets = new Map([['', OPSET]]);
  readonly #quantized = new Map<string, QuantizedValue>();

  constructor(
    readonly types: ReadonlyMap<string, ValueType>,
    readonly constants: ReadonlyMap<string, ConstantTensor>,
    readonly scaleOf: (name: string) => Scale,
    readonly options: QuantizeOptions,
  ) {}

  /** Greatest magnitude of a weight or activation: 127 for 8 bits. */
  get levels(): number {
    return 2 ** (this.options.bits - 1) - 1;
  }

  shape(name: string): readonly number[] {
    return this.types.get(name)!.shape;
  }

  constant(name: string, tensor: ConstantTensor): string {
    this.#constants.set(name, tensor);
    return name;
  }

  /** A float32 scalar 2^exponent, shared by all that use it. */
  scaleConstant(exponent: number): string {
    return this.constant(`scale_2^${exponent}`, {
      dtype: 'float32',
      shape: [],
      data: Float32Array.from([2 ** exponent]),
    });
  }

  /** An int8 scalar, shared by all that use it. */
  int8Constant(value: number): string {
    return this.constant(`int8_${value}`, { dtype: 'int8', shape: [], data: Int8Array.from([value]) });
  }

  shapeConstant(shape: readonly number[]): string {
    return this.constant(`shape_${shape.join('x')}`, {
      dtype: 'int64',
      shape: [shape.length],
      data: BigInt64Array.from(shape.map(BigInt)),
    });
  }

  emit({ type, domain = '', name, inputs, output, attributes = new Map() }: EmittedNode): string {
    this.#opsets.set(domain, Math.max(this.#opsets.get(domain) ?? 1, NEWER_OPSETS[type] ?? 1));
    this.#nodes.push({ name, domain, type, inputs, outputs: [output], attributes });
    return output;
  }

  /** Declares float value `name` to be the int8 tensor `as` from here on. */
  bind(name: string, as: string): QuantizedValue {
    const value = { name: as, shape: this.shape(name), ...this.scaleOf(name) };
    this.#quantized.set(name, value);
    return value;
  }

  bindInput(name: string, value: QuantizedValue): void {
    this.#quantized.set(name, value);
  }

  value(name: string): QuantizedValue {
    const value = this.#quantized.get(name);
    if (value) return value;
    throw new ModelRefused({
      where: `value "${name}"`,
      what: 'result',
      expected: 'one that has an integer form',
      got: 'a further output of an operator',
    });
  }

  /** A node from integer operands to the integer twin of `output`. */
  emitInteger(node: Omit<EmittedNode, 'output'>, output: string): QuantizedValue {
    const value = this.bind(output, `${output}_q`);
    this.emit({ ...node, output: value.name });
    return value;
  }

  reshape(name: string, input: string, shape: readonly number[], output: string): string {
    return this.emit({ type: 'Reshape', name, inputs: [input, this.shapeConstant(shape)], output });
  }

  /** The name itself, unless a graph input has it. */
  freshFloat(name: string, inputs: readonly string[]): string {
    return inputs.includes(name) ? `${name}_float` : name;
  }

  /** The float32 reading of an integer value. */
  dequantize(value: QuantizedValue, output: string): string {
    return this.emit({
      type: 'DequantizeLinear',
      name: `dequantize_${output}`,
      inputs: [value.name, this.scaleConstant(value.exponent), this.int8Constant(value.zeroPoint)],
      output,
    });
  }

  /** A float32 tensor kept inside an interval; an infinite end is left out. */
  clip(input: string, [low, high]: readonly [number, number], output: string): string {
    const bound = (value: number): string =>
      Number.isFinite(value)
        ? this.constant(`float_${value}`, { dtype: 'float32', shape: [], data: Float32Array.of(value) })
        : '';
    const inputs = [input, bound(low), bound(high)];
    while (inputs.at(-1) === '') inputs.pop();
    return this.emit({ type: 'Clip', name: `clip_${output}`, inputs, output });
  }

  /** Rounds the float32 tensor `input` into the integer twin of `output`. */
  quantize(input: string, output: string): QuantizedValue {
    const { exponent, zeroPoint } = this.scaleOf(output);
    const inputs = [input, this.scaleConstant(exponent), this.int8Constant(zeroPoint)];
    return this.emitInteger({ type: 'QuantizeLinear', name: `quantize_${output}`, inputs }, output);
  }

  finish(graph: Graph): Graph {
    return {
      opsets: this.#opsets,
      inputs: graph.inputs,
      outputs: graph.outputs,
      constants: this.#constants,
      nodes: this.#nodes,
    };
  }
}
