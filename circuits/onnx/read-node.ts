/** One node of the file: its row in the closed table, counts, and every attribute in the kind the table gives it. */
import { isFieldSet } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type AttributeProto,
  type NodeProto,
} from 'onnx-buf';
import type { AttributeValue, GraphNode } from './graph.js';
import { refuseNode } from './node.js';
import { operators, type AttributeKind } from './operators.js';
import { readTensor } from './tensor.js';

export function readNode(proto: NodeProto, index: number, opsets: ReadonlyMap<string, number>): GraphNode {
  const domain = proto.domain === 'ai.onnx' ? '' : proto.domain;
  const bare: GraphNode = {
    name: proto.name === '' ? `${proto.opType}_${index}` : proto.name,
    domain,
    type: proto.opType,
    inputs: trimAbsent(proto.input),
    outputs: trimAbsent(proto.output),
    attributes: new Map(),
  };
  const row = operators.get(`${domain}:${proto.opType}`);
  if (!row)
    refuseNode(bare, 'operator', 'one of the supported operators', `${domain || 'ai.onnx'}:${proto.opType}`);
  if (!opsets.has(domain)) refuseNode(bare, 'domain', 'imported by the file', domain || 'ai.onnx');
  checkCount(bare, 'inputs', bare.inputs.length, row.inputs);
  checkCount(bare, 'outputs', bare.outputs.length, row.outputs);
  const attributes = new Map<string, AttributeValue>();
  for (const attribute of proto.attribute) {
    const kind = row.attributes.get(attribute.name);
    if (!kind)
      refuseNode(
        bare,
        `attribute ${attribute.name}`,
        `one of ${[...row.attributes.keys()].join(', ') || 'none'}`,
        'unknown',
      );
    if (attributes.has(attribute.name))
      refuseNode(bare, `attribute ${attribute.name}`, 'given once', 'twice');
    attributes.set(attribute.name, readAttribute(bare, attribute, kind));
  }
  return { ...bare, attributes };
}

export function trimAbsent(names: readonly string[]): string[] {
  let end = names.length;
  while (end > 0 && names[end - 1] === '') end--;
  return names.slice(0, end);
}

function checkCount(
  node: GraphNode,
  what: string,
  count: number,
  [low, high]: readonly [number, number],
): void {
  if (count < low || count > high)
    refuseNode(node, what, low === high ? String(low) : `${low} to ${high}`, count);
}

const kindFields = {
  int: 'i',
  float: 'f',
  string: 's',
  ints: 'ints',
  floats: 'floats',
  strings: 'strings',
  tensor: 't',
} as const;
const kindTypes: Readonly<Record<AttributeKind, AttributeProto_AttributeType>> = {
  int: AttributeProto_AttributeType.INT,
  float: AttributeProto_AttributeType.FLOAT,
  string: AttributeProto_AttributeType.STRING,
  ints: AttributeProto_AttributeType.INTS,
  floats: AttributeProto_AttributeType.FLOATS,
  strings: AttributeProto_AttributeType.STRINGS,
  tensor: AttributeProto_AttributeType.TENSOR,
};

function readAttribute(node: GraphNode, proto: AttributeProto, kind: AttributeKind): AttributeValue {
  const what = `attribute ${proto.name}`;
  if (proto.type !== kindTypes[kind] && proto.type !== AttributeProto_AttributeType.UNDEFINED) {
    refuseNode(node, what, kind, AttributeProto_AttributeType[proto.type]?.toLowerCase());
  }
  // A value in another kind's field would be a second reading of the same attribute.
  for (const field of Object.values(kindFields)) {
    if (field !== kindFields[kind] && isFieldSet(proto, AttributeProtoSchema.field[field]))
      refuseNode(node, what, `only the ${kind} field`, `also ${field}`);
  }
  const isList = kind === 'ints' || kind === 'floats' || kind === 'strings';
  if (!isList && !isFieldSet(proto, AttributeProtoSchema.field[kindFields[kind]]))
    refuseNode(node, what, 'a value', 'none');
  const integer = (value: bigint): number => {
    const clamped = Math.min(Math.max(Number(value), Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
    // Slice says "to the end" with the largest int64; nothing else has a use for such numbers.
    if (BigInt(clamped) !== value && node.type !== 'Slice') refuseNode(node, what, 'at most 2^53', value);
    return clamped;
  };
  const finite = (value: number): number =>
    Number.isNaN(value) ? refuseNode(node, what, 'a number', value) : value;
  switch (kind) {
    case 'int':
      return { kind, value: integer(proto.i) };
    case 'ints':
      return { kind, value: proto.ints.map(integer) };
    case 'float':
      return { kind, value: finite(proto.f) };
    case 'floats':
      return { kind, value: proto.floats.map(finite) };
    case 'string':
      return { kind, value: text(proto.s) };
    case 'strings':
      return { kind, value: proto.strings.map(text) };
    case 'tensor':
      return {
        kind,
        value: readTensor(
          proto.t!,
          `node "${node.name}" (${node.type}), attribute ${proto.name}`,
          NAN_TENSORS.includes(proto.name),
        ),
      };
  }
}

/** Of TreeEnsemble: NaN separates the sets, and stands for the split of a node that tests one. */
const NAN_TENSORS = ['membership_values', 'nodes_splits'];

const utf8 = new TextDecoder('utf-8');
function text(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}
