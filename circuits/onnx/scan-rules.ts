/**
 * What the pre-scan and the canonical reading know of ONNX's messages: the field numbers come from the descriptors of
 * onnx-buf; which of them are allowed, and what is a name, is decided here.
 */
import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';

type Kind = 'varint' | 'fixed32' | 'fixed64' | 'bytes' | 'string' | 'message';

export interface FieldRule {
  readonly number: number;
  readonly name: string;
  readonly kind: Kind;
  readonly signed32: boolean;
  readonly isBool: boolean;
  readonly repeated: boolean;
  /** Repeated numbers are re-encoded packed. */
  readonly packed: boolean;
  readonly child: MessageRule | undefined;
  readonly refused: string | undefined;
  readonly isName: boolean;
}

export interface MessageRule {
  readonly name: string;
  readonly fields: ReadonlyMap<number, FieldRule>;
}

/** Fields that no accepted model may carry, with the reason a user reads. */
const refusedFields: Readonly<Record<string, string>> = {
  'ModelProto.training_info': 'no training graph',
  'ModelProto.functions': 'no function bodies',
  'ModelProto.configuration': 'no device configuration',
  'GraphProto.sparse_initializer': 'no sparse tensors',
  'NodeProto.device_configurations': 'no device configuration',
  'NodeProto.overload': 'no function overloads',
  'AttributeProto.ref_attr_name': 'no function bodies',
  'AttributeProto.g': 'no subgraphs (control flow)',
  'AttributeProto.graphs': 'no subgraphs (control flow)',
  'AttributeProto.sparse_tensor': 'no sparse tensors',
  'AttributeProto.sparse_tensors': 'no sparse tensors',
  'AttributeProto.tp': 'no type attributes',
  'AttributeProto.type_protos': 'no type attributes',
  'AttributeProto.tensors': 'no lists of tensors',
  'TensorProto.segment': 'no tensor segments',
  'TensorProto.external_data': 'no external data',
  'TensorProto.string_data': 'no string tensors',
  'TypeProto.optional_type': 'no optional types',
  'TypeProto.sparse_tensor_type': 'no sparse tensors',
};

/** Strings that name things: short, and free of characters that lie to a reader. Others are only length-capped. */
const nameFields: ReadonlySet<string> = new Set([
  'NodeProto.input',
  'NodeProto.output',
  'NodeProto.name',
  'NodeProto.op_type',
  'NodeProto.domain',
  'AttributeProto.name',
  'TensorProto.name',
  'ValueInfoProto.name',
  'Dimension.dim_param',
  'OperatorSetIdProto.domain',
]);

/** Model > Graph > Value > Type > Map > Type > Tensor > Shape > Dimension, and room for no more. */
export const MAX_DEPTH = 10;

const rules = new Map<string, MessageRule>();
export const modelRule = ruleOf(ModelProtoSchema);

function ruleOf(desc: DescMessage): MessageRule {
  const known = rules.get(desc.typeName);
  if (known) return known;
  const fields = new Map<number, FieldRule>();
  const rule = { name: desc.name, fields };
  rules.set(desc.typeName, rule);
  for (const field of desc.fields) fields.set(field.number, fieldRuleOf(desc, field));
  return rule;
}

function fieldRuleOf(parent: DescMessage, field: DescField): FieldRule {
  const key = `${parent.name}.${field.name}`;
  const scalar = field.scalar ?? (field.enum ? ScalarType.INT32 : undefined);
  return {
    number: field.number,
    name: field.name,
    kind: field.message ? 'message' : kindOf(scalar!),
    signed32: scalar === ScalarType.INT32,
    isBool: scalar === ScalarType.BOOL,
    repeated: field.fieldKind === 'list',
    packed: field.fieldKind === 'list' && field.packed,
    // A refused field is never entered, so its message needs no rules.
    child: field.message && !refusedFields[key] ? ruleOf(field.message) : undefined,
    refused: refusedFields[key],
    isName: nameFields.has(key),
  };
}

function kindOf(scalar: ScalarType): Kind {
  switch (scalar) {
    case ScalarType.STRING:
      return 'string';
    case ScalarType.BYTES:
      return 'bytes';
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 'fixed32';
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 'fixed64';
    default:
      return 'varint';
  }
}
