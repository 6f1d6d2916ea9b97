/**
 * The streaming pre-scan: one walk over the protobuf bytes before anything is decoded. It allocates nothing per
 * field, so a file of ten million empty nodes costs its own size and no more, and it accepts only a subset of
 * protobuf with a single reading: known fields, the declared wire types, minimal varints, no singular field twice,
 * no groups, bounded depth, bounded counts, nothing after the last field.
 *
 * The field numbers come from the descriptors of onnx-buf; what is allowed of them is decided here. The walk is our
 * own reading of the bytes, so comparing `canonicalChunks` with onnx-buf's re-encoding compares two parsers (F08).
 */
import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { ModelRefused } from '../errors.js';

/** What a file may hold. Every bound is checked before decoding. */
export interface ScanLimits {
  readonly sizeBytes: number;
  readonly fields: number;
  readonly nodes: number;
  readonly tensors: number;
  /** Numbers held outside raw data; each costs a JavaScript number or bigint once decoded. */
  readonly typedNumbers: number;
  readonly nameBytes: number;
  readonly textBytes: number;
}

/**
 * 4-million-parameter models are 16 MB in float; 256 MiB leaves room. Decoding costs about 200 bytes a field and
 * 24 a number, so these bounds keep the decoder below 1 GiB whatever the file says.
 */
export const defaultLimits: ScanLimits = {
  sizeBytes: 256 * 2 ** 20,
  fields: 2_000_000,
  nodes: 50_000,
  tensors: 50_000,
  typedNumbers: 16_000_000,
  nameBytes: 512,
  textBytes: 2 ** 20,
};

export interface ScanCounts {
  readonly fields: number;
  readonly nodes: number;
  readonly tensors: number;
  readonly typedNumbers: number;
}

type Kind = 'varint' | 'fixed32' | 'fixed64' | 'bytes' | 'string' | 'message';

interface FieldRule {
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

interface MessageRule {
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
const MAX_DEPTH = 10;

const rules = new Map<string, MessageRule>();
const modelRule = ruleOf(ModelProtoSchema);

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

function refuse(what: string, expected: string, got: string | number): never {
  throw new ModelRefused({ where: 'file', what, expected, got: String(got) });
}

/** Checks the whole file and counts it. Throws ModelRefused; never allocates in proportion to the field count. */
export function scan(bytes: Uint8Array, limits: ScanLimits = defaultLimits): ScanCounts {
  if (bytes.length === 0) refuse('size', 'at least 1 byte', 0);
  if (bytes.length > limits.sizeBytes) refuse('size', `at most ${limits.sizeBytes} bytes`, bytes.length);
  return new Scanner(bytes, limits).run();
}

class Scanner {
  private at = 0;
  private fields = 0;
  private nodes = 0;
  private tensors = 0;
  private typedNumbers = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly limits: ScanLimits,
  ) {}

  run(): ScanCounts {
    this.message(modelRule, this.bytes.length, 1);
    return { fields: this.fields, nodes: this.nodes, tensors: this.tensors, typedNumbers: this.typedNumbers };
  }

  private message(rule: MessageRule, end: number, depth: number): void {
    if (depth > MAX_DEPTH) refuse('nesting', `at most ${MAX_DEPTH} messages deep`, depth);
    if (rule.name === 'NodeProto' && ++this.nodes > this.limits.nodes)
      refuse('nodes', `at most ${this.limits.nodes}`, this.nodes);
    if (rule.name === 'TensorProto' && ++this.tensors > this.limits.tensors)
      refuse('tensors', `at most ${this.limits.tensors}`, this.tensors);
    // Field numbers of ONNX are below 64, so two 32-bit words remember which singular fields were seen.
    let seenLow = 0;
    let seenHigh = 0;
    while (this.at < end) {
      if (++this.fields > this.limits.fields) refuse('fields', `at most ${this.limits.fields}`, this.fields);
      const tag = this.varint(end, `${rule.name} tag`);
      const number = tag >>> 3;
      const field = rule.fields.get(number);
      if (!field) refuse(`${rule.name} field ${number}`, 'a field ONNX defines', 'an unknown field');
      if (field.refused) refuse(`${rule.name}.${field.name}`, field.refused, 'present');
      if (!field.repeated) {
        const bit = 1 << (number & 31);
        if ((number < 32 ? seenLow : seenHigh) & bit)
          refuse(`${rule.name}.${field.name}`, 'present once', 'twice');
        if (number < 32) seenLow |= bit;
        else seenHigh |= bit;
      }
      this.field(rule, field, tag & 7, end, depth);
    }
    if (this.at !== end)
      refuse(rule.name, 'exactly as long as its length says', 'a field that crosses its end');
  }

  private field(rule: MessageRule, field: FieldRule, wireType: number, end: number, depth: number): void {
    const path = `${rule.name}.${field.name}`;
    const isNumber = field.kind === 'varint' || field.kind === 'fixed32' || field.kind === 'fixed64';
    if (isNumber && wireType === 2 && field.repeated) {
      const stop = this.lengthOf(path, end);
      while (this.at < stop) this.number(field, path, stop);
      return;
    }
    const expected = { varint: 0, fixed64: 1, fixed32: 5, bytes: 2, string: 2, message: 2 }[field.kind];
    if (wireType !== expected) refuse(path, `wire type ${expected}`, `wire type ${wireType}`);
    if (isNumber) return this.number(field, path, end);
    const stop = this.lengthOf(path, end);
    if (field.child) return this.message(field.child, stop, depth + 1);
    if (field.kind === 'string') this.text(field, path, stop);
    if (rule.name === 'AttributeProto' && stop - this.at > this.limits.textBytes) {
      refuse(path, `at most ${this.limits.textBytes} bytes`, stop - this.at);
    }
    this.at = stop;
  }

  private lengthOf(path: string, end: number): number {
    const length = this.varint(end, path);
    if (length > end - this.at) refuse(path, `at most ${end - this.at} bytes, what is left`, length);
    return this.at + length;
  }

  private number(field: FieldRule, path: string, end: number): void {
    if (field.repeated && ++this.typedNumbers > this.limits.typedNumbers) {
      refuse('numbers outside raw data', `at most ${this.limits.typedNumbers}`, this.typedNumbers);
    }
    if (field.kind === 'fixed32' || field.kind === 'fixed64') {
      const width = field.kind === 'fixed32' ? 4 : 8;
      if (this.at + width > end) refuse(path, `${width} bytes`, end - this.at);
      this.at += width;
      return;
    }
    const start = this.at;
    this.skipVarint(end, path);
    const width = this.at - start;
    if (field.isBool && (width > 1 || this.bytes[start]! > 1)) refuse(path, '0 or 1', 'another number');
    if (field.signed32) this.int32(start, width, path);
  }

  /** An int32 on the wire: below 2^31 in at most 5 bytes, or negative, sign-extended to 10 bytes. */
  private int32(start: number, width: number, path: string): void {
    const last = this.bytes[start + 4]!;
    if (width < 5 || (width === 5 && last <= 0x07)) return;
    let extended = width === 10 && (last & 0xf8) === 0xf8 && this.bytes[start + 9] === 1;
    for (let i = 5; i < 9 && extended; i++) extended = this.bytes[start + i] === 0xff;
    if (!extended) refuse(path, 'a 32-bit integer', 'a wider one');
  }

  private text(field: FieldRule, path: string, stop: number): void {
    const limit = field.isName ? this.limits.nameBytes : this.limits.textBytes;
    if (stop - this.at > limit) refuse(path, `at most ${limit} bytes`, stop - this.at);
    if (!field.isName) return;
    for (let i = this.at; i < stop; i++) {
      const c = this.bytes[i]!;
      // Printable ASCII without the characters that open HTML: no control, bidi or look-alike character can hide.
      if (c < 0x20 || c > 0x7e || c === 0x3c || c === 0x3e || c === 0x26) {
        refuse(path, 'printable ASCII without < > &', `byte 0x${c.toString(16).padStart(2, '0')}`);
      }
    }
  }

  /** A length or tag: below 2^31 and minimal. */
  private varint(end: number, path: string): number {
    const start = this.at;
    this.skipVarint(end, path);
    if (this.at - start > 5 || (this.at - start === 5 && this.bytes[this.at - 1]! > 0x07))
      refuse(path, 'below 2^31', 'a larger varint');
    let value = 0;
    for (let i = this.at - 1; i >= start; i--) value = value * 128 + (this.bytes[i]! & 0x7f);
    return value;
  }

  private skipVarint(end: number, path: string): void {
    const start = this.at;
    for (;;) {
      if (this.at >= end) refuse(path, 'a whole varint', 'a truncated one');
      const byte = this.bytes[this.at++]!;
      if (byte < 0x80) {
        const width = this.at - start;
        if (width > 1 && byte === 0) refuse(path, 'a minimal varint', 'an overlong one');
        if (width > 10 || (width === 10 && byte > 1)) refuse(path, 'a 64-bit varint', 'a wider one');
        return;
      }
      if (this.at - start >= 10) refuse(path, 'a 64-bit varint', 'a wider one');
    }
  }
}

/**
 * The file's one canonical encoding, as views of it: fields by number, repeated numbers in the declared packing.
 * Only for bytes that `scan` accepted.
 */
export function canonicalChunks(bytes: Uint8Array): Uint8Array[] {
  return canonicalMessage(bytes, modelRule, 0, bytes.length).chunks;
}

interface Chunks {
  chunks: Uint8Array[];
  length: number;
}

function canonicalMessage(bytes: Uint8Array, rule: MessageRule, start: number, end: number): Chunks {
  const parts = new Map<number, Chunks>();
  const append = (number: number, piece: Chunks): void => {
    const part = parts.get(number);
    if (!part) parts.set(number, piece);
    else {
      for (const chunk of piece.chunks) part.chunks.push(chunk);
      part.length += piece.length;
    }
  };
  for (let at = start; at < end;) {
    const fieldStart = at;
    const [tag, afterTag] = readVarint(bytes, at);
    const field = rule.fields.get(tag >>> 3)!;
    const isNumber = field.kind === 'varint' || field.kind === 'fixed32' || field.kind === 'fixed64';
    if ((tag & 7) === 2) {
      const [length, from] = readVarint(bytes, afterTag);
      at = from + length;
      if (field.child)
        append(field.number, delimited(field.number, canonicalMessage(bytes, field.child, from, at)));
      else if (isNumber) append(field.number, numbers(bytes, field, from, at));
      else append(field.number, view(bytes, fieldStart, at));
    } else {
      at = numberEnd(bytes, field, afterTag);
      append(field.number, field.repeated ? view(bytes, afterTag, at) : view(bytes, fieldStart, at));
    }
  }
  const whole: Chunks = { chunks: [], length: 0 };
  for (const number of [...parts.keys()].sort((p, q) => p - q)) {
    const field = rule.fields.get(number)!;
    let part = parts.get(number)!;
    if (field.repeated && field.kind !== 'message' && field.kind !== 'string' && field.kind !== 'bytes')
      part = repack(field, part);
    for (const chunk of part.chunks) whole.chunks.push(chunk);
    whole.length += part.length;
  }
  return whole;
}

function view(bytes: Uint8Array, start: number, end: number): Chunks {
  return { chunks: [bytes.subarray(start, end)], length: end - start };
}

function numbers(bytes: Uint8Array, field: FieldRule, start: number, end: number): Chunks {
  if (field.packed) return view(bytes, start, end);
  const chunks: Uint8Array[] = [];
  for (let at = start; at < end;) {
    const stop = numberEnd(bytes, field, at);
    chunks.push(bytes.subarray(at, stop));
    at = stop;
  }
  return { chunks, length: end - start };
}

/** Bare numbers into one packed field, or one tagged field each. */
function repack(field: FieldRule, part: Chunks): Chunks {
  if (field.packed) return part.length === 0 ? part : delimited(field.number, part);
  const tag = encodeVarint(
    (field.number << 3) | { varint: 0, fixed64: 1, fixed32: 5, bytes: 2, string: 2, message: 2 }[field.kind],
  );
  return {
    chunks: part.chunks.flatMap((chunk) => [tag, chunk]),
    length: part.length + part.chunks.length * tag.length,
  };
}

function delimited(number: number, { chunks, length }: Chunks): Chunks {
  const header = [...encodeVarint((number << 3) | 2), ...encodeVarint(length)];
  chunks.unshift(Uint8Array.from(header));
  return { chunks, length: length + header.length };
}

function numberEnd(bytes: Uint8Array, field: FieldRule, at: number): number {
  if (field.kind === 'fixed32') return at + 4;
  if (field.kind === 'fixed64') return at + 8;
  while (bytes[at]! >= 0x80) at++;
  return at + 1;
}

function readVarint(bytes: Uint8Array, at: number): [number, number] {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return [value, at];
    scale *= 128;
  }
}

function encodeVarint(value: number): Uint8Array {
  const out: number[] = [];
  while (value >= 0x80) {
    out.push((value % 128) | 0x80);
    value = Math.floor(value / 128);
  }
  out.push(value);
  return Uint8Array.from(out);
}

/** True if the chunks, joined, are these bytes. */
export function chunksEqual(chunks: readonly Uint8Array[], bytes: Uint8Array): boolean {
  let at = 0;
  for (const chunk of chunks) {
    if (Buffer.compare(chunk, bytes.subarray(at, at + chunk.length)) !== 0) return false;
    at += chunk.length;
  }
  return at === bytes.length;
}
