/**
 * ONNX bytes → Graph. Order of work: pre-scan, decode, compare the re-encoding with the canonical reading, check
 * every node against the closed table, sort, then infer every shape. Nothing is allocated for a value before its
 * size was computed in bigints.
 */
import { fromBinary, isFieldSet, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  ModelProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { ANSWERS_KEY } from '../answer-record.js';
import { ModelRefused } from '../errors.js';
import { withoutClassNames } from './answers.js';
import type { AttributeValue, ConstantTensor, Graph, GraphNode, ValueInfo } from './graph.js';
import { refuseNode } from './node.js';
import { operators, opsetRange, type AttributeKind } from './operators.js';
import { canonicalChunks, chunksEqual, defaultLimits, scan, type ScanLimits } from './scan.js';
import { withoutDisguises } from './equivalents.js';
import { inferGraph } from './infer.js';
import { upgrade } from './upgrade.js';
import { dtypeOf, elementCount, fourBitTypes, readTensor } from './tensor.js';

export interface LoadOptions {
  /** Full shape of inputs that declare symbolic dimensions, by input name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  readonly limits?: Partial<ScanLimits>;
}

export function loadGraph(bytes: Uint8Array, options: LoadOptions = {}): Graph {
  scan(bytes, { ...defaultLimits, ...options.limits });
  const model = decode(bytes);
  if (!model.graph)
    throw new ModelRefused({ where: 'file', what: 'graph', expected: 'present', got: 'none' });
  const graph = withoutDisguises(inferGraph(upgrade(readGraph(model, model.graph, options))));
  const metadata = readMetadata(model);
  for (const [key, value] of graph.metadata ?? []) {
    if (metadata.has(key))
      throw new ModelRefused({
        where: 'file',
        what: `metadata "${key}"`,
        expected: 'absent, where the graph names its classes itself',
        got: 'present',
      });
    metadata.set(key, value);
  }
  return metadata.size > 0 ? { ...graph, metadata } : graph;
}

/** Entries of other tools say nothing here. */
function readMetadata({ metadataProps }: ModelProto): Map<string, string> {
  const own = metadataProps.filter(({ key }) => key.startsWith('verinfer.'));
  const metadata = new Map(own.map(({ key, value }) => [key, value]));
  if (metadata.size !== own.length)
    throw new ModelRefused({ where: 'file', what: 'metadata keys', expected: 'unique', got: 'a key twice' });
  return metadata;
}

function decode(bytes: Uint8Array): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new ModelRefused({
      where: 'file',
      what: 'protobuf',
      expected: 'decodable',
      got: (error as Error).message,
    });
  }
  if (!chunksEqual(canonicalChunks(bytes), toBinary(ModelProtoSchema, model))) {
    throw new ModelRefused({
      where: 'file',
      what: 'protobuf',
      expected: 'read alike by two parsers',
      got: 'two readings',
    });
  }
  return model;
}

function readGraph(model: ModelProto, proto: GraphProto, { shapes = {} }: LoadOptions): Graph {
  const opsets = readOpsets(model);
  const constants = new Map<string, ConstantTensor>();
  for (const tensor of proto.initializer) {
    const where = `tensor "${tensor.name}"`;
    if (tensor.name === '') throw new ModelRefused({ where, what: 'name', expected: 'not empty', got: '""' });
    if (constants.has(tensor.name))
      throw new ModelRefused({ where, what: 'name', expected: 'unique', got: 'a second initializer' });
    constants.set(tensor.name, readTensor(tensor, where));
  }
  // Before IR version 4 every initializer was listed as an input too; a value given in the file is not an input.
  const inputs = proto.input
    .filter((info) => !constants.has(info.name))
    .map((info) => readInput(info, shapes[info.name]));
  for (const name of Object.keys(shapes)) {
    if (!inputs.some((input) => input.name === name))
      throw new ModelRefused({
        where: `input "${name}"`,
        what: 'shape option',
        expected: 'for an input of the model',
        got: 'no such input',
      });
  }
  const given = withoutUnusedOutputs(
    proto.node.map((node, index) => readNode(node, index, opsets)),
    new Set(proto.output.map(({ name }) => name)),
  );
  requireUniqueOutputs(proto);
  const {
    nodes,
    outputs: left,
    steps,
  } = withoutClassNames(
    given,
    proto.output.map(({ name }) => name),
  );
  // Checked as uploaded: a ZipMap's output too is defined once.
  defineValues(inputs, constants, given);
  const defined = defineValues(inputs, constants, nodes);
  const declared = new Map(proto.output.map((info) => [info.name, info]));
  const outputs = left.map((name) => readOutput(name, declared.get(name), defined));
  if (inputs.length === 0)
    throw new ModelRefused({ where: 'graph', what: 'inputs', expected: 'at least one', got: '0' });
  if (outputs.length === 0)
    throw new ModelRefused({ where: 'graph', what: 'outputs', expected: 'at least one', got: '0' });
  return {
    opsets,
    ...(steps.length > 0 && { metadata: new Map([[ANSWERS_KEY, JSON.stringify(steps)]]) }),
    inputs,
    outputs,
    constants,
    nodes: sortNodes(nodes, new Set([...inputs.map((input) => input.name), ...constants.keys()])),
  };
}

function requireUniqueOutputs({ output }: GraphProto): void {
  const names = output.map(({ name }) => name);
  if (new Set(names).size !== names.length)
    throw new ModelRefused({
      where: 'graph',
      what: 'outputs',
      expected: 'unique names',
      got: names.join(', '),
    });
}

function readOpsets(model: ModelProto): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of model.opsetImport) {
    const key = domain === 'ai.onnx' ? '' : domain;
    const where = `opset "${key || 'ai.onnx'}"`;
    const known = opsets.get(key);
    if (known !== undefined && known !== Number(version))
      throw new ModelRefused({
        where,
        what: 'import',
        expected: 'one version',
        got: `${known} and ${version}`,
      });
    const range = opsetRange.get(key);
    // A domain nobody uses may be imported; a node of it is refused by the operator table.
    if (range && (Number(version) < range[0] || Number(version) > range[1])) {
      throw new ModelRefused({
        where,
        what: 'version',
        expected: `${range[0]} to ${range[1]}`,
        got: String(version),
      });
    }
    opsets.set(key, Number(version));
  }
  if (opsets.size === 0)
    throw new ModelRefused({ where: 'file', what: 'opset_import', expected: 'present', got: 'none' });
  return opsets;
}

function tensorType(info: ValueInfoProto, where: string) {
  const value = info.type?.value;
  if (value?.case === 'tensorType') return value.value;
  throw new ModelRefused({ where, what: 'type', expected: 'a tensor', got: value?.case ?? 'none' });
}

function readInput(info: ValueInfoProto, given: readonly number[] | undefined): ValueInfo {
  const where = `input "${info.name}"`;
  if (info.name === '') throw new ModelRefused({ where, what: 'name', expected: 'not empty', got: '""' });
  const type = tensorType(info, where);
  const narrow = fourBitTypes.get(type.elemType);
  const dtype = narrow?.dtype ?? dtypeOf(type.elemType, where);
  const dims = type.shape?.dim;
  if (!dims && !given)
    throw new ModelRefused({
      where,
      what: 'shape',
      expected: 'declared, or given as an option',
      got: 'none',
    });
  if (dims && given && dims.length !== given.length) {
    throw new ModelRefused({
      where,
      what: 'shape option',
      expected: `of rank ${dims.length}`,
      got: `[${given.join(',')}]`,
    });
  }
  const shape = (dims ?? given!).map((dim, axis) => {
    const declared = typeof dim === 'object' && dim.value.case === 'dimValue' ? dim.value.value : undefined;
    // −1 is how some exporters spell an unknown dimension.
    const isStatic = declared !== undefined && declared >= 0n;
    const option = given?.[axis];
    if (isStatic && option !== undefined && BigInt(option) !== declared) {
      throw new ModelRefused({
        where,
        what: `shape option, axis ${axis}`,
        expected: String(declared),
        got: String(option),
      });
    }
    if (isStatic) return Number(declared);
    if (option !== undefined) return option;
    const symbol =
      typeof dim === 'object' && dim.value.case === 'dimParam' ? `"${dim.value.value}"` : 'unknown';
    throw new ModelRefused({
      where,
      what: `dimension ${axis}`,
      expected: `a number, or given as an option (--shape ${info.name}=…)`,
      got: symbol,
    });
  });
  if (shape.some((dim) => !Number.isInteger(dim) || dim < 1)) {
    throw new ModelRefused({
      where,
      what: 'dimensions',
      expected: 'at least 1',
      got: `[${shape.join(',')}]`,
    });
  }
  elementCount(shape, where);
  return { name: info.name, dtype, shape, ...(narrow && { range: narrow.range }) };
}

/** Dtype and shape are what inference finds; the declaration is only checked for being a tensor. */
function readOutput(name: string, info: ValueInfoProto | undefined, defined: ReadonlySet<string>): ValueInfo {
  const where = `output "${name}"`;
  if (info?.type?.value.case !== undefined) tensorType(info, where);
  if (!defined.has(name))
    throw new ModelRefused({ where, what: 'value', expected: 'computed by the graph', got: 'undefined' });
  return { name, dtype: 'float32', shape: [] };
}

function readNode(proto: NodeProto, index: number, opsets: ReadonlyMap<string, number>): GraphNode {
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

function trimAbsent(names: readonly string[]): string[] {
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

/** Further outputs that nobody reads (masks, indices, statistics) are not computed. */
function withoutUnusedOutputs(nodes: readonly GraphNode[], wanted: ReadonlySet<string>): GraphNode[] {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  return nodes.map((node) =>
    node.outputs.length < 2
      ? node
      : {
          ...node,
          outputs: trimAbsent(
            node.outputs.map((name, i) => (i === 0 || read.has(name) || wanted.has(name) ? name : '')),
          ),
        },
  );
}

/** Every value name once: inputs, constants and node outputs never collide. */
function defineValues(
  inputs: readonly ValueInfo[],
  constants: ReadonlyMap<string, unknown>,
  nodes: readonly GraphNode[],
): Set<string> {
  const defined = new Set<string>(constants.keys());
  for (const { name } of inputs) {
    if (defined.has(name))
      throw new ModelRefused({
        where: `input "${name}"`,
        what: 'name',
        expected: 'unique',
        got: 'a second definition',
      });
    defined.add(name);
  }
  for (const node of nodes) {
    for (const name of node.outputs) {
      if (name === '') continue;
      if (defined.has(name)) refuseNode(node, `output "${name}"`, 'defined once', 'a second definition');
      defined.add(name);
    }
  }
  for (const node of nodes) {
    for (const name of node.inputs) {
      if (name !== '' && !defined.has(name))
        refuseNode(node, `input "${name}"`, 'defined in the graph', 'undefined');
    }
  }
  return defined;
}

/** Kahn's algorithm, keeping the file's order among nodes that are ready; a rest means a cycle. */
function sortNodes(nodes: readonly GraphNode[], ready: Set<string>): GraphNode[] {
  const consumers = new Map<string, number[]>();
  const missing = nodes.map((node, index) => {
    const waiting = new Set(node.inputs.filter((name) => name !== '' && !ready.has(name)));
    for (const name of waiting) {
      const list = consumers.get(name);
      if (list) list.push(index);
      else consumers.set(name, [index]);
    }
    return waiting.size;
  });
  const names = new Map<string, number>();
  const sorted: GraphNode[] = [];
  const queue = missing.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let head = 0; head < queue.length; head++) {
    const node = nodes[queue[head]!]!;
    sorted.push(uniquelyNamed(node, names));
    for (const output of node.outputs) {
      for (const consumer of consumers.get(output) ?? [])
        if (--missing[consumer]! === 0) queue.push(consumer);
    }
  }
  if (sorted.length !== nodes.length) {
    refuseNode(nodes[missing.findIndex((count) => count > 0)]!, 'inputs', 'computable before it', 'a cycle');
  }
  return sorted;
}

/** ONNX lets two nodes share a name; reports and wire labels need them apart. */
function uniquelyNamed(node: GraphNode, names: Map<string, number>): GraphNode {
  const count = (names.get(node.name) ?? 0) + 1;
  names.set(node.name, count);
  return count === 1 ? node : uniquelyNamed({ ...node, name: `${node.name}#${count}` }, names);
}
