/**
 * ONNX bytes → Graph. Order of work: pre-scan, decode, compare the re-encoding with the canonical reading, check
 * every node against the closed table, sort, then infer every shape. Nothing is allocated for a value before its
 * size was computed in bigints.
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, type GraphProto, type ModelProto } from 'onnx-buf';
import { ANSWERS_KEY } from '../answer-record.js';
import { ModelRefused } from '../errors.js';
import { withoutClassNames } from './answers.js';
import type { ConstantTensor, Graph } from './graph.js';
import { defineValues, sortNodes, withoutUnusedOutputs } from './graph-order.js';
import { opsetRange } from './operators.js';
import { readNode } from './read-node.js';
import { readInput, readOutput } from './read-value.js';
import { canonicalChunks, chunksEqual } from './canonical.js';
import { defaultLimits, scan, type ScanLimits } from './scan.js';
import { withoutDisguises } from './equivalents.js';
import { inferGraph } from './infer.js';
import { upgrade } from './upgrade.js';
import { readTensor } from './tensor.js';

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
