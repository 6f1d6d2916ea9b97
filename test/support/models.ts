import { readFileSync } from 'node:fs';
import { compile, type CompiledModel, type CompileOptions } from '../../circuits/index.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import type { Graph } from '../../circuits/onnx/graph.js';
import type { Random } from './random.js';
import { integers } from './values.js';
import { PACKED_DTYPES } from '../../circuits/public-signals.js';

/** A model committed under models/. */
export function committedGraph(name: 'lenet5' | 'digits8x8'): Graph {
  return loadGraph(readFileSync(`models/${name}/model.onnx`));
}

export function committedModel(name: 'lenet5' | 'digits8x8', options?: CompileOptions): CompiledModel {
  return compile(committedGraph(name), options);
}

/** Integer inputs of a model, each element chosen by `pick` from its dtype's range. */
export function modelInputs(
  { manifest }: CompiledModel,
  pick: (min: number, max: number) => number,
): Map<string, Int32Array> {
  return new Map(
    manifest.inputs.map(({ name, dtype, shape }) => {
      const { bytes, min } = PACKED_DTYPES[dtype];
      const count = shape.reduce((product, size) => product * size, 1);
      return [name, Int32Array.from({ length: count }, () => pick(min, min + 2 ** (8 * bytes) - 1))];
    }),
  );
}

export function randomInputs(model: CompiledModel, random: Random): Map<string, Int32Array> {
  return modelInputs(model, (min, max) => integers(random, 1, min, max)[0]);
}
