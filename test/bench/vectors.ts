/** Reading the reference vectors of a model folder: `input_K.pb` and `output_K.pb`, ONNX TensorProto. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { TensorProtoSchema, type TensorProto } from 'onnx-buf';
import type { ConstantTensor } from '../../circuits/onnx/graph.js';
import { readTensor } from '../../circuits/onnx/tensor.js';

const FLOAT = 1;
const DOUBLE = 11;

/** A vector's tensor. Unlike a model's constant it may hold NaN, and doubles, which are compared as numbers. */
export function readTensorFile(path: string): ConstantTensor {
  const proto = fromBinary(TensorProtoSchema, readFileSync(path));
  if (proto.dataType !== FLOAT && proto.dataType !== DOUBLE) return readTensor(proto, path);
  return { dtype: 'float32', shape: proto.dims.map(Number), data: Float32Array.from(reals(proto)) };
}

function reals(proto: TensorProto): ArrayLike<number> {
  const isDouble = proto.dataType === DOUBLE;
  const { rawData } = proto;
  if (rawData.length === 0) return isDouble ? proto.doubleData : proto.floatData;
  const bytes = Uint8Array.from(rawData).buffer;
  return isDouble ? new Float64Array(bytes) : new Float32Array(bytes);
}

/** `input_0.pb`, `input_1.pb`, … of a data set, in order. */
export function readTensors(folder: string, kind: 'input' | 'output'): ConstantTensor[] {
  const tensors: ConstantTensor[] = [];
  for (let k = 0; existsSync(join(folder, `${kind}_${k}.pb`)); k++) {
    tensors.push(readTensorFile(join(folder, `${kind}_${k}.pb`)));
  }
  return tensors;
}
