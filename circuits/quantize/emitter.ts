/** The integer graph under construction, and what the operator emitters may ask about the float one. */
import type { AttributeValue, ConstantTensor, Graph, GraphNode } from '../onnx/graph.js';
import type { ObservedValue } from './calibrate.js';
import { chooseExponent, type CalibrationMethod } from './lattice.js';

export interface QuantizeOptions {
  /** Width of weights and activations, 4 to 8. */
  readonly bits: number;
  readonly method: CalibrationMethod;
  /** Greatest divisor b of a requantization: ceil(log2 b) rows per activation. Odd, ≤ 32767. */
  readonly divisorMax: number;
}

/** An int8 value with scale 2^exponent. */
export interface QuantizedValue {
  readonly name: string;
  readonly exponent: number;
  /** 0, or −128 for a graph input that is never negative: its 255 steps then span [0, max]. */
  readonly zeroPoint: 0 | -128;
  readonly shape: readonly number[];
}

export interface EmittedNode {
  readonly type: string;
  readonly domain?: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: ReadonlyMap<string, AttributeValue>;
}

export class Emitter {
  readonly constants = new Map<string, ConstantTensor>();
  readonly nodes: GraphNode[] = [];
  readonly domains = new Set(['']);
  /** Float value name → its integer twin. */
  readonly quantized = new Map<string, QuantizedValue>();
  readonly #consumers = new Map<string, GraphNode[]>();
  readonly #outputs: ReadonlySet<string>;

  constructor(
    readonly graph: Graph,
    readonly observed: ReadonlyMap<string, ObservedValue>,
    readonly options: QuantizeOptions,
  ) {
    this.#outputs = new Set(graph.outputs.map((output) => output.name));
    for (const node of graph.nodes)
      for (const input of node.inputs)
        this.#consumers.set(input, [...(this.#consumers.get(input) ?? []), node]);
  }

  /** Greatest magnitude of a weight or activation: 127 for 8 bits. */
  get levels(): number {
    return 2 ** (this.options.bits - 1) - 1;
  }

  /** The only consumer of a value that is not an output of the graph, else undefined. */
  onlyConsumer(name: string): GraphNode | undefined {
    const consumers = this.#consumers.get(name) ?? [];
    return consumers.length === 1 && !this.#outputs.has(name) ? consumers[0] : undefined;
  }

  /**
   * The exponent for a value about to be requantized. Where only a rectifier reads it, its negative part is
   * clamped away whatever the scale, so the rectified range decides.
   */
  exponentFor(name: string): number {
    const reader = this.onlyConsumer(name);
    const decisive = reader?.type === 'Relu' ? reader.outputs[0]! : name;
    return chooseExponent(this.range(decisive), this.levels, this.options.method);
  }

  range(name: string): ObservedValue {
    const range = this.observed.get(name);
    if (!range) throw new Error(`value "${name}": calibration must have seen it, got no tensor`);
    return range;
  }

  constant(name: string, tensor: ConstantTensor): string {
    this.constants.set(name, tensor);
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

  emit({ type, domain = '', name, inputs, output, attributes = new Map() }: EmittedNode): void {
    this.domains.add(domain);
    this.nodes.push({ name, domain, type, inputs, outputs: [output], attributes });
  }

  /** Declares `name` of the float graph to be `value` from here on. */
  bind(name: string, value: QuantizedValue): void {
    this.quantized.set(name, value);
  }
}
