/** The one encoding that a scanned file's content has, in pieces of the file itself: what its re-encoding must equal. */
import { modelRule, type FieldRule, type MessageRule } from './scan-rules.js';

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
