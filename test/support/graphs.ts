import type {
  AttributeValue,
  ConstantTensor,
  Dtype,
  Graph,
  GraphNode,
  TensorData,
  ValueInfo,
} from '../../circuits/onnx/graph.js';
import { typedArrays } from '../../circuits/onnx/tensor.js';
import type { Random } from './random.js';
import { integers, normals } from './values.js';

/** Hand-made graphs for tests: names follow from types, constants are added where they are used. */
export class GraphWriter {
  readonly constants = new Map<string, ConstantTensor>();
  readonly nodes: GraphNode[] = [];
  readonly inputs: ValueInfo[] = [];

  input(name: string, dtype: Dtype, shape: readonly number[]): string {
    this.inputs.push({ name, dtype, shape });
    return name;
  }

  constant(dtype: Dtype, shape: readonly number[], values: ArrayLike<number>): string {
    const name = `constant${this.constants.size}`;
    this.constants.set(name, { dtype, shape, data: typed(dtype, values) });
    return name;
  }

  scale(value: number): string {
    return this.constant('float32', [], [value]);
  }

  zeroPoint(dtype: Dtype, value: number): string {
    return this.constant(dtype, [], [value]);
  }

  node(
    type: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeValue> = {},
    domain = '',
  ): string {
    const name = `${type.toLowerCase()}${this.nodes.length}`;
    const output = `${name}:0`;
    // A Split has as many outputs as it has sizes; only the first is looked at.
    const others = type === 'Split' ? [`${name}:1`] : [];
    this.nodes.push({
      name,
      domain,
      type,
      inputs,
      outputs: [output, ...others],
      attributes: new Map(Object.entries(attributes)),
    });
    return output;
  }

  finish(outputs: readonly ValueInfo[]): Graph {
    const opsets = new Map([
      ['', 18],
      ['com.microsoft', 1],
    ]);
    return { opsets, inputs: this.inputs, outputs, constants: this.constants, nodes: this.nodes };
  }
}

export const ints = (...value: number[]): AttributeValue => ({ kind: 'ints', value });
export const int = (value: number): AttributeValue => ({ kind: 'int', value });

function typed(dtype: Dtype, values: ArrayLike<number>): TensorData {
  if (dtype === 'int64' || dtype === 'uint64') return typedArrays[dtype].from(Array.from(values, BigInt));
  return typedArrays[dtype].from(values);
}

/** LeNet-5 with random int8 weights in the reference model's form: lattice scales, b odd, zero points 0. */
export function randomLenet(random: Random): Graph {
  const g = new GraphWriter();
  const image = g.input('image', 'float32', [1, 1, 28, 28]);
  let x = g.node('QuantizeLinear', [image, g.scale(2 ** -7), g.zeroPoint('int8', 0)]);
  const layer = (channels: number, [inputs, kernel]: [number, number], b: number, relu: boolean): void => {
    const count = channels * inputs * kernel * kernel;
    const w = g.constant('int8', [channels, inputs, kernel, kernel], normals(random, count, 24, -127, 127));
    const scales = Float64Array.from({ length: channels }, () => 1 / (b + 2 * random.below(16)));
    const bias = g.constant('int32', [channels], integers(random, channels, -2000, 2000));
    const zero = g.zeroPoint('int8', 0);
    const one = g.scale(1);
    const wScale = g.constant('float32', [channels], scales);
    x = g.node('QLinearConv', [x, one, zero, w, wScale, g.zeroPoint('int8', 0), one, zero, bias]);
    if (relu) x = g.node('Relu', [x]);
  };
  const pool = (): void => {
    x = g.node('MaxPool', [x], { kernel_shape: ints(2, 2), strides: ints(2, 2) });
  };
  layer(6, [1, 5], 131, true);
  pool();
  layer(16, [6, 5], 301, true);
  pool();
  layer(120, [16, 4], 401, true);
  layer(84, [120, 1], 251, true);
  layer(10, [84, 1], 201, false);
  x = g.node('Flatten', [x]);
  const logits = g.node('DequantizeLinear', [x, g.scale(0.125), g.zeroPoint('int8', 0)]);
  return g.finish([{ name: logits, dtype: 'float32', shape: [1, 10] }]);
}

/** A 6×6 image through a 2-channel convolution, Relu, 2×2 pool and a dense layer: every part of a network, small. */
export function smallConvnet(random: Random): Graph {
  const g = new GraphWriter();
  const image = g.input('image', 'int8', [1, 1, 6, 6]);
  const one = g.scale(1);
  const zero = g.zeroPoint('int8', 0);
  const convolution = (x: string, shape: readonly number[], b: number): string => {
    const count = shape.reduce((product, size) => product * size, 1);
    const w = g.constant('int8', shape, normals(random, count, 40, -127, 127));
    const bias = g.constant('int32', [shape[0]], integers(random, shape[0], -500, 500));
    return g.node('QLinearConv', [x, one, zero, w, g.scale(1 / b), zero, one, zero, bias]);
  };
  let x = convolution(image, [2, 1, 3, 3], 131);
  x = g.node('Relu', [x]);
  x = g.node('MaxPool', [x], { kernel_shape: ints(2, 2), strides: ints(2, 2) });
  x = convolution(x, [3, 2, 2, 2], 77);
  const y = g.node('Flatten', [x]);
  return g.finish([{ name: y, dtype: 'int8', shape: [1, 3] }]);
}
