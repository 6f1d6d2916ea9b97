/** A trained sequence of layers as a float32 ONNX graph; dense layers become convolutions over their whole map. */
import type { AttributeValue, ConstantTensor, Graph, GraphNode } from '../../circuits/onnx/graph.js';
import { Convolution, Dense, type Layer, MaxPool2, Rectifier } from './network.js';

const ints = (value: number[]): AttributeValue => ({ kind: 'ints', value });

/** @param inputShape [1, channels, height, width]. The output is [1, classes] logits. */
export function toFloatGraph(layers: readonly Layer[], inputShape: readonly number[]): Graph {
  const constants = new Map<string, ConstantTensor>();
  const nodes: GraphNode[] = [];
  let value = 'image';
  let [, channels, height, width] = inputShape as [number, number, number, number];
  const counts = new Map<string, number>();
  const append = (
    type: string,
    stem: string,
    inputs: string[] = [],
    attributes: [string, AttributeValue][] = [],
  ): void => {
    const count = (counts.get(stem) ?? 0) + 1;
    counts.set(stem, count);
    const name = `${stem}${count}`;
    const own = inputs.map((input) => `${name}_${input}`);
    inputs.forEach((input, i) => {
      const pending = constants.get(input)!;
      constants.delete(input);
      constants.set(own[i]!, pending);
    });
    nodes.push({
      name,
      domain: '',
      type,
      inputs: [value, ...own],
      outputs: [name],
      attributes: new Map(attributes),
    });
    value = name;
  };
  const appendConv = (stem: string, shape: number[], weights: Float32Array, biases: Float32Array): void => {
    constants.set('weight', { dtype: 'float32', shape, data: weights });
    constants.set('bias', { dtype: 'float32', shape: [shape[0]!], data: biases });
    append('Conv', stem, ['weight', 'bias'], [['kernel_shape', ints(shape.slice(2))]]);
  };
  for (const layer of layers) {
    if (layer instanceof Convolution) {
      const { outputChannels, inputChannels, kernel, weights, biases } = layer;
      appendConv('conv', [outputChannels, inputChannels, kernel, kernel], weights, biases);
      [channels, height, width] = [outputChannels, layer.outputHeight, layer.outputWidth];
    } else if (layer instanceof Dense) {
      appendConv('dense', [layer.outputLength, channels, height, width], layer.weights, layer.biases);
      [channels, height, width] = [layer.outputLength, 1, 1];
    } else if (layer instanceof MaxPool2) {
      append(
        'MaxPool',
        'pool',
        [],
        [
          ['kernel_shape', ints([2, 2])],
          ['strides', ints([2, 2])],
        ],
      );
      [height, width] = [height / 2, width / 2];
    } else if (layer instanceof Rectifier) {
      append('Relu', 'relu');
    } else throw new Error(`layer ${nodes.length}: must be convolution, dense, pool or rectifier`);
  }
  nodes.push({
    name: 'logits',
    domain: '',
    type: 'Flatten',
    inputs: [value],
    outputs: ['logits'],
    attributes: new Map([['axis', { kind: 'int', value: 1 }]]),
  });
  return {
    opsets: new Map([['', 14]]),
    inputs: [{ name: 'image', dtype: 'float32', shape: inputShape }],
    outputs: [{ name: 'logits', dtype: 'float32', shape: [1, channels] }],
    constants,
    nodes,
  };
}
