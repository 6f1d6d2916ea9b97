/**
 * The streaming pre-scan: one walk over the protobuf bytes before anything is decoded. It allocates nothing per
 * field, so a file of ten million empty nodes costs its own size and no more, and it accepts only a subset of
 * protobuf with a single reading: known fields, the declared wire types, minimal varints, no singular field twice,
 * no groups, bounded depth, bounded counts, nothing after the last field.
 *
 * The walk is our own reading of the bytes, so comparing the canonical form (canonical.ts) with onnx-buf's re-encoding
 * compares two parsers (F08).
 */
import { ModelRefused } from '../errors.js';
import { MAX_DEPTH, modelRule, type FieldRule, type MessageRule } from './scan-rules.js';

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
