/** Structure-aware mutation of ONNX files: whatever the bytes say, the answer is a model or a ModelRefused. */
import { ModelRefused } from '../../../circuits/errors.js';
import { importModel } from '../../../circuits/import/import.js';
import { encodeGraph } from '../../../circuits/onnx/encode.js';
import { GraphWriter, int, ints } from '../../support/graphs.js';
import * as p from '../../support/protobuf.js';
import { random, type Random } from '../../support/random.js';

/** Small models that between them use every kind of field the loader reads. */
export function seedModels(): Uint8Array[] {
  const w = new GraphWriter();
  const x = w.input('x', 'float32', [1, 1, 6, 6]);
  const q = w.node('QuantizeLinear', [x, w.scale(0.5), w.zeroPoint('int8', -128)]);
  const d = w.node('DequantizeLinear', [q, w.scale(0.5), w.zeroPoint('int8', -128)]);
  const weights = w.constant(
    'int8',
    [2, 1, 3, 3],
    Array.from({ length: 18 }, (_, i) => i - 9),
  );
  const k = w.node('DequantizeLinear', [weights, w.scale(0.25), w.zeroPoint('int8', 0)]);
  const b = w.node('DequantizeLinear', [
    w.constant('int32', [2], [7, -7]),
    w.scale(0.125),
    w.zeroPoint('int32', 0),
  ]);
  const c = w.node('Conv', [d, k, b], { pads: ints(1, 1, 1, 1), strides: ints(1, 1) });
  const r = w.node('Relu', [c]);
  const pooled = w.node('MaxPool', [r], { kernel_shape: ints(2, 2), strides: ints(2, 2) });
  const q2 = w.node('QuantizeLinear', [pooled, w.scale(0.75), w.zeroPoint('int8', -128)]);
  const d2 = w.node('DequantizeLinear', [q2, w.scale(0.75), w.zeroPoint('int8', -128)]);
  const flat = w.node('Flatten', [d2], { axis: int(1) });
  const qdq = w.finish([{ name: flat, dtype: 'float32', shape: [1, 18] }]);
  const shapes = p.model({
    nodes: [
      p.node('Shape', ['x'], ['s']),
      p.node('Gather', ['s', 'zero'], ['n'], p.intAttribute('axis', 0)),
      p.node('Concat', ['n', 'minus'], ['t'], p.intAttribute('axis', 0)),
      p.node('Reshape', ['x', 't'], ['r']),
      p.node('Transpose', ['r'], ['y'], p.intsAttribute('perm', [1, 0])),
    ],
    initializers: [
      p.tensor('zero', p.INT64, [1], p.raw([0, 0, 0, 0, 0, 0, 0, 0])),
      p.tensor('minus', p.INT64, [1], p.number(7, -1)),
    ],
    inputs: [p.value('x', p.UINT8, [2, 3, 2])],
    outputs: [p.value('y', p.UINT8, ['a', 'b'])],
  });
  return [encodeGraph(qdq), shapes, p.smallModel()];
}

const boundaries = [
  0,
  1,
  2,
  127,
  128,
  255,
  0x7fff,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2n ** 62n,
  2n ** 63n,
  2n ** 64n - 1n,
];

export function mutate(seed: Uint8Array, r: Random): Uint8Array {
  let bytes = seed;
  for (let rounds = 1 + r.below(3); rounds > 0; rounds--) bytes = mutateOnce(bytes, r);
  return bytes;
}

function mutateOnce(bytes: Uint8Array, r: Random): Uint8Array {
  const at = r.below(bytes.length + 1);
  const splice = (start: number, drop: number, insert: ArrayLike<number>): Uint8Array =>
    Uint8Array.from([...bytes.subarray(0, start), ...Array.from(insert), ...bytes.subarray(start + drop)]);
  switch (r.below(8)) {
    case 0:
      return bytes.map((byte, i) => (i === at ? byte ^ (1 << r.below(8)) : byte));
    case 1:
      return bytes.map((byte, i) => (i === at ? r.below(256) : byte));
    case 2:
      return bytes.slice(0, at);
    case 3:
      return splice(at, 0, r.bytes(1 + r.below(8)));
    case 4:
      return splice(at, 1 + r.below(8), []);
    case 5:
      return splice(at, 1, p.varint(r.pick(boundaries)));
    case 6: {
      const from = r.below(bytes.length);
      return splice(at, 0, bytes.subarray(from, from + r.below(64)));
    }
    default:
      return mutateField(bytes, r);
  }
}

/** Replaces, drops or doubles one whole field of some message and mends the lengths around it. */
function mutateField(bytes: Uint8Array, r: Random): Uint8Array {
  const fields = fieldsOf(bytes, 0, bytes.length, 0);
  if (fields.length === 0) return bytes;
  const [start, end] = r.pick(fields);
  const action = r.below(3);
  const kept = [...bytes.subarray(start, end)];
  const replacement =
    action === 0 ? [] : action === 1 ? [...kept, ...kept] : [kept[0], ...p.varint(r.pick(boundaries))];
  return rebuild(bytes, 0, bytes.length, start, end, replacement, 0);
}

type Span = [start: number, end: number];

function readVarint(bytes: Uint8Array, at: number): [number, number] {
  let value = 0;
  for (let scale = 1; at < bytes.length; scale *= 128) {
    const byte = bytes[at++];
    value += (byte & 127) * scale;
    if (byte < 128) break;
  }
  return [value, at];
}

/** Looks nested wherever the bytes parse as a message: names may too, which only makes stranger mutants. */
function fieldsOf(bytes: Uint8Array, start: number, end: number, depth: number): Span[] {
  const spans: Span[] = [];
  for (let at = start; at < end;) {
    const [tag, body] = readVarint(bytes, at);
    let next = body;
    if ((tag & 7) === 0) [, next] = readVarint(bytes, body);
    else if ((tag & 7) === 5) next = body + 4;
    else if ((tag & 7) === 2) {
      const [length, from] = readVarint(bytes, body);
      next = from + length;
      if (depth < 4 && next <= end) spans.push(...fieldsOf(bytes, from, next, depth + 1));
    } else return [];
    if (next > end) return [];
    spans.push([at, next]);
    at = next;
  }
  return spans;
}

function rebuild(
  bytes: Uint8Array,
  start: number,
  end: number,
  cut: number,
  cutEnd: number,
  insert: readonly number[],
  depth: number,
): Uint8Array {
  const out: number[] = [];
  for (let at = start; at < end;) {
    const [tag, body] = readVarint(bytes, at);
    let next = body;
    let inner: Span | undefined;
    if ((tag & 7) === 0) [, next] = readVarint(bytes, body);
    else if ((tag & 7) === 5) next = body + 4;
    else {
      const [length, from] = readVarint(bytes, body);
      next = from + length;
      inner = [from, next];
    }
    if (at === cut && next === cutEnd) out.push(...insert);
    else if (inner && cut >= inner[0] && cutEnd <= inner[1] && depth < 6) {
      const changed = rebuild(bytes, inner[0], inner[1], cut, cutEnd, insert, depth + 1);
      out.push(...bytes.subarray(at, body), ...p.varint(changed.length), ...changed);
    } else out.push(...bytes.subarray(at, next));
    at = next;
  }
  return Uint8Array.from(out);
}

export interface FuzzResult {
  readonly accepted: number;
  readonly refused: number;
  readonly failures: readonly string[];
  readonly slowestMs: number;
}

/** Imports `count` mutants. A failure is any error that is not a refusal, or a mutant that takes seconds. */
export function fuzzImport(count: number, seed: number): FuzzResult {
  const r = random(seed);
  const seeds = seedModels();
  const failures: string[] = [];
  let accepted = 0;
  let slowestMs = 0;
  for (let i = 0; i < count && failures.length < 10; i++) {
    const mutant = mutate(r.pick(seeds), r);
    const started = performance.now();
    try {
      importModel(mutant);
      accepted++;
    } catch (error) {
      if (!(error instanceof ModelRefused)) failures.push(`mutant ${i}: ${(error as Error).stack}`);
    }
    const elapsed = performance.now() - started;
    if (elapsed > 5000) failures.push(`mutant ${i} took ${elapsed} ms`);
    slowestMs = Math.max(slowestMs, elapsed);
  }
  return { accepted, refused: count - accepted - failures.length, failures, slowestMs };
}
