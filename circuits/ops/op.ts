import { ModelRefused } from '../errors.js';
import type { AttributeValue, ConstantTensor, GraphNode } from '../onnx/graph.js';
import type { NodeContext } from '../onnx/shape.js';
import type { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import type { IntTensor, TensorType } from '../tensor.js';

/** What an operator knows of one of its inputs before values exist. */
export interface Operand extends TensorType {
  readonly name: string;
  readonly constant?: ConstantTensor | undefined;
}

/**
 * One ONNX operator: what it accepts, what it means, and why you must believe it.
 *
 * `operands` names the inputs that are tensors of the computation; all others (scales, zero points, weights,
 * shapes) are constants that `attributes` has read. `reference` and `constrain` get the operands in that order.
 */
export interface Op<Attributes = unknown> {
  readonly type: string;
  /** '' for ai.onnx. */
  readonly domain: string;
  /** One line of the table of supported operators: what of it is supported. */
  readonly supports: string;
  attributes(node: NodeView): Attributes;
  operands(attributes: Attributes): readonly number[];
  shape(attributes: Attributes, inputs: readonly TensorType[]): TensorType[];
  reference(attributes: Attributes, inputs: readonly IntTensor[], types: readonly TensorType[]): IntTensor[];
  constrain(context: ConstrainContext, attributes: Attributes, inputs: readonly Quantized[]): Quantized[];
}

export interface ConstrainContext {
  readonly circuit: Builder;
  /** Node name: labels its rows. */
  readonly label: string;
  readonly types: readonly TensorType[];
  /** Whether this node alone reads operand `index`, so that a pending rounding may be moved past it. */
  readonly isOnlyReader: (index: number) => boolean;
}

/** Keeps the attribute type between the five members. */
export function defineOp<Attributes>(op: Op<Attributes>): Op {
  return op as Op;
}

/** Opset of the executed graph. */
const EXECUTED_OPSET = 18;

/** A node with its operands, and readers that refuse with node, attribute, expected, got. */
export class NodeView {
  constructor(
    readonly node: GraphNode,
    readonly operands: readonly (Operand | undefined)[],
  ) {}

  get where(): string {
    return `node "${this.node.name}" (${this.node.type})`;
  }

  refuse(what: string, expected: string, got: string): never {
    throw new ModelRefused({ where: this.where, what, expected, got });
  }

  /** The node as circuits/onnx sees it. The executed graph is written in one opset. */
  get context(): NodeContext {
    const { node, operands } = this;
    return { node, opset: EXECUTED_OPSET, type: (i) => operands[i], constant: (i) => operands[i]?.constant };
  }

  /** An operand that must be there. */
  operand(index: number, what: string): Operand {
    return this.operands[index] ?? this.refuse(what, 'present', 'none');
  }

  hasOperand(index: number): boolean {
    return this.operands[index] !== undefined;
  }

  constant(index: number, what: string): ConstantTensor {
    return this.operand(index, what).constant ?? this.refuse(what, 'a constant', 'a computed tensor');
  }

  int(name: string, fallback: number): number {
    return this.attribute(name, 'int')?.value ?? fallback;
  }

  float(name: string, fallback: number): number {
    return this.attribute(name, 'float')?.value ?? fallback;
  }

  string(name: string, fallback: string): string {
    return this.attribute(name, 'string')?.value ?? fallback;
  }

  ints(name: string): readonly number[] | undefined {
    return this.attribute(name, 'ints')?.value;
  }

  /** A positive normal float32 scalar (scales), or several if `count` allows. */
  scales(index: number, what: string, count = 1): Float64Array {
    const { dtype, data } = this.constant(index, what);
    if (dtype !== 'float32') this.refuse(what, 'float32', dtype);
    const values = Float64Array.from(data as Float32Array);
    if (values.length !== 1 && values.length !== count) {
      this.refuse(what, count === 1 ? 'one value' : `1 or ${count} values`, `${values.length}`);
    }
    for (const value of values) {
      if (!(value >= 2 ** -126 && value < Infinity))
        this.refuse(what, 'a positive normal float32', `${value}`);
    }
    return values;
  }

  /** An integer zero point of the given dtype; absent means 0. */
  zeroPoints(index: number, what: string, dtype: string, count = 1): Int32Array {
    if (!this.hasOperand(index)) return new Int32Array(1);
    const constant = this.constant(index, what);
    if (constant.dtype !== dtype) this.refuse(what, dtype, constant.dtype);
    const values = integers(constant);
    if (values.length !== 1 && values.length !== count) {
      this.refuse(what, count === 1 ? 'one value' : `1 or ${count} values`, `${values.length}`);
    }
    return values;
  }

  /** int8 or uint8. */
  requireByte(type: TensorType, what: string): 'int8' | 'uint8' {
    if (type.dtype !== 'int8' && type.dtype !== 'uint8')
      return this.refuse(what, 'int8 or uint8', type.dtype);
    return type.dtype;
  }

  private attribute<K extends AttributeValue['kind']>(
    name: string,
    kind: K,
  ): Extract<AttributeValue, { kind: K }> | undefined {
    const found = this.node.attributes.get(name);
    if (found === undefined) return undefined;
    if (found.kind !== kind) this.refuse(name, `of kind ${kind}`, found.kind);
    return found as Extract<AttributeValue, { kind: K }>;
  }
}

/** The integers of a constant; int64 must fit in int32. */
export function integers(constant: ConstantTensor): Int32Array {
  if (constant.data instanceof BigInt64Array || constant.data instanceof BigUint64Array) {
    return Int32Array.from(constant.data as BigInt64Array, (value) => {
      const clamped = value > 0x7fffffffn ? 0x7fffffffn : value < -0x80000000n ? -0x80000000n : value;
      return Number(clamped);
    });
  }
  return Int32Array.from(constant.data);
}
