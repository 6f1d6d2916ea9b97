/**
 * Graph → ONNX bytes. One Graph gives one byte string: fields are written in a fixed order, constants as
 * little-endian raw data in the order of the map. Source of the format: onnx.proto3 (onnx 1.20).
 */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataType,
  TensorProtoSchema,
  type TensorProto,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import type { AttributeValue, ConstantTensor, Dtype, Graph, ValueInfo } from './graph.js';

const ELEMENT_TYPE: Record<Dtype, TensorProto_DataType> = {
  float32: TensorProto_DataType.FLOAT,
  float64: TensorProto_DataType.DOUBLE,
  int8: TensorProto_DataType.INT8,
  uint8: TensorProto_DataType.UINT8,
  int16: TensorProto_DataType.INT16,
  uint16: TensorProto_DataType.UINT16,
  int32: TensorProto_DataType.INT32,
  uint32: TensorProto_DataType.UINT32,
  int64: TensorProto_DataType.INT64,
  uint64: TensorProto_DataType.UINT64,
  bool: TensorProto_DataType.BOOL,
};

/** The newest file format version that every ONNX Runtime of the last years reads. */
const IR_VERSION = 8n;

export interface EncodeOptions {
  /** Inner float32 values to return as well, after the graph's own outputs; ONNX Runtime infers their shapes. */
  readonly observed?: readonly string[];
}

export function encodeGraph(graph: Graph, { observed = [] }: EncodeOptions = {}): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'verinfer',
    opsetImport: [...graph.opsets].map(([domain, version]) =>
      create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
    ),
    metadataProps: [...(graph.metadata ?? [])].map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
    graph: create(GraphProtoSchema, {
      name: 'main',
      input: graph.inputs.map(encodeValue),
      output: [
        ...graph.outputs.map(encodeValue),
        ...observed.map((name) => create(ValueInfoProtoSchema, { name })),
      ],
      initializer: [...graph.constants].map(([name, tensor]) => encodeTensor(name, tensor)),
      node: graph.nodes.map((node) =>
        create(NodeProtoSchema, {
          name: node.name,
          domain: node.domain,
          opType: node.type,
          input: [...node.inputs],
          output: [...node.outputs],
          attribute: [...node.attributes].map(([name, value]) => encodeAttribute(name, value)),
        }),
      ),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

function encodeValue({ name, dtype, shape }: ValueInfo): ValueInfoProto {
  const dim = shape.map((size) =>
    create(TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: BigInt(size) } }),
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, {
      value: {
        case: 'tensorType',
        value: create(TypeProto_TensorSchema, {
          elemType: ELEMENT_TYPE[dtype],
          shape: create(TensorShapeProtoSchema, { dim }),
        }),
      },
    }),
  });
}

function encodeTensor(name: string, { dtype, shape, data }: ConstantTensor): TensorProto {
  // A copy: the view may start anywhere in its buffer. Raw data is little-endian, as every supported platform is.
  const rawData = new Uint8Array(data.byteLength);
  rawData.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return create(TensorProtoSchema, { name, dataType: ELEMENT_TYPE[dtype], dims: shape.map(BigInt), rawData });
}

function encodeAttribute(name: string, attribute: AttributeValue): AttributeProto {
  const T = AttributeProto_AttributeType;
  const text = (value: string): Uint8Array<ArrayBuffer> => new Uint8Array(new TextEncoder().encode(value));
  switch (attribute.kind) {
    case 'int':
      return create(AttributeProtoSchema, { name, type: T.INT, i: BigInt(attribute.value) });
    case 'float':
      return create(AttributeProtoSchema, { name, type: T.FLOAT, f: attribute.value });
    case 'string':
      return create(AttributeProtoSchema, { name, type: T.STRING, s: text(attribute.value) });
    case 'ints':
      return create(AttributeProtoSchema, { name, type: T.INTS, ints: attribute.value.map(BigInt) });
    case 'floats':
      return create(AttributeProtoSchema, { name, type: T.FLOATS, floats: [...attribute.value] });
    case 'strings':
      return create(AttributeProtoSchema, { name, type: T.STRINGS, strings: attribute.value.map(text) });
    case 'tensor':
      return create(AttributeProtoSchema, { name, type: T.TENSOR, t: encodeTensor('', attribute.value) });
  }
}
