/** Reading the reference vectors of a model folder: `input_K.pb` and `output_K.pb`, ONNX TensorProto. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { TensorProtoSchema } from 'onnx-buf';
import type { ConstantTensor } from '../../circuits/onnx/graph.js';
import { readTensor } from '../../circuits/onnx/tensor.js';

export function readTensorFile(path: string): ConstantTensor & { readonly name: string } {
  const proto = fromBinary(TensorProtoSchema, readFileSync(path));
  return { ...readTensor(proto, path), name: proto.name };
}

/** `input_0.pb`, `input_1.pb`, … of a data set, in order. */
export function readTensors(folder: string, kind: 'input' | 'output'): ConstantTensor[] {
  const tensors: ConstantTensor[] = [];
  for (let k = 0; existsSync(join(folder, `${kind}_${k}.pb`)); k++)
    tensors.push(readTensorFile(join(folder, `${kind}_${k}.pb`)));
  return tensors;
}
