/**
 * What both phases store about a contribution besides its points, and section 10 of a `.zkey`. A key's
 * contributions are a chain: each binds the circuit and all before it through its transcript digest.
 */
import type { G1Point, G2Point } from '../keys.js';
import { digestBytes } from '../blake2b.js';
import { ByteReader, ByteWriter } from './byte-stream.js';
import { refuse } from './container.js';

export interface Beacon {
  /** 1 to 255 bytes. */
  readonly value: Uint8Array;
  /** SHA-256 is iterated 2^iterationsExponent times over the value; 10 to maxIterationsExponent. */
  readonly iterationsExponent: number;
}

export interface ContributionParameters {
  /** At most 64 characters; part of no hash, so a label and nothing more. */
  readonly name: string;
  /** Null for a contribution made from a secret. */
  readonly beacon: Beacon | null;
}

export interface KeyContribution extends ContributionParameters {
  /** δ·G1 after this contribution. */
  readonly deltaAfter: G1Point;
  readonly g1s: G1Point;
  readonly g1sx: G1Point;
  /** x·H for H = hashToG2(transcript). */
  readonly g2spx: G2Point;
  /** Digest of the circuit, every earlier contribution, g1s and g1sx. */
  readonly transcript: Uint8Array;
}

export interface KeyContributions {
  readonly circuitHash: Uint8Array;
  readonly contributions: readonly KeyContribution[];
}

/** Everyone who checks a beacon repeats its delay, so a file must not be able to ask for hours of it. */
export const minIterationsExponent = 10;
export const maxIterationsExponent = 20;

const nameId = 1;
const iterationsId = 2;
const beaconId = 3;
const maxContributions = 2 ** 16;

export function readParameters(reader: ByteReader, what: string): ContributionParameters {
  const type = reader.uint32(`type in ${what}`);
  if (type > 1) refuse(reader.where, `type in ${what}`, '0 or 1 (beacon)', `${type}`);
  const size = reader.uint32(`size of ${what}`);
  const inner = new ByteReader(reader.bytes(size, what), reader.where);
  let name = '';
  let iterationsExponent: number | null = null;
  let value: Uint8Array | null = null;
  for (let last = 0; inner.offset < size;) {
    const id = inner.byte(what);
    if (id <= last) refuse(reader.where, what, 'ascending parameter ids', `${id} after ${last}`);
    last = id;
    if (id === nameId) {
      name = new TextDecoder('utf-8', { fatal: false }).decode(
        inner.bytes(inner.byte(what), `name in ${what}`),
      );
    } else if (id === iterationsId) iterationsExponent = inner.byte(what);
    else if (id === beaconId) value = inner.bytes(inner.byte(what), `beacon in ${what}`);
    else refuse(reader.where, what, 'parameters 1 to 3', `${id}`);
  }
  if (type === 0) {
    if (iterationsExponent !== null || value !== null)
      refuse(reader.where, what, 'no beacon for type 0', 'a beacon');
    return { name, beacon: null };
  }
  if (value === null || value.length === 0) return refuse(reader.where, what, 'a beacon value', 'none');
  const range = `${minIterationsExponent} to ${maxIterationsExponent} as iterations exponent`;
  if (
    iterationsExponent === null ||
    iterationsExponent < minIterationsExponent ||
    iterationsExponent > maxIterationsExponent
  ) {
    return refuse(reader.where, what, range, `${iterationsExponent}`);
  }
  return { name, beacon: { value, iterationsExponent } };
}

export function writeParameters(writer: ByteWriter, { name, beacon }: ContributionParameters): void {
  const inner = new ByteWriter();
  const encoded = new TextEncoder().encode(name.slice(0, 64));
  if (encoded.length > 0) inner.byte(nameId).byte(encoded.length).bytes(encoded);
  if (beacon !== null) {
    inner.byte(iterationsId).byte(beacon.iterationsExponent);
    inner.byte(beaconId).byte(beacon.value.length).bytes(beacon.value);
  }
  const parameters = inner.finish();
  writer
    .uint32(beacon === null ? 0 : 1)
    .uint32(parameters.length)
    .bytes(parameters);
}

/** Throws MalformedFile. */
export function readKeyContributions(bytes: Uint8Array, where: string): KeyContributions {
  const reader = new ByteReader(bytes, where);
  const circuitHash = reader.bytes(digestBytes, 'circuit hash');
  const count = reader.uint32('contribution count');
  if (count > maxContributions)
    refuse(where, 'contribution count', `at most ${maxContributions}`, `${count}`);
  const contributions: KeyContribution[] = [];
  for (let i = 1; i <= count; i++) {
    const name = (what: string): string => `${what} of contribution ${i}`;
    contributions.push({
      deltaAfter: reader.g1(name('delta')),
      g1s: reader.g1(name('s·G1')),
      g1sx: reader.g1(name('x·s·G1')),
      g2spx: reader.g2(name('x·H')),
      transcript: reader.bytes(digestBytes, name('transcript')),
      ...readParameters(reader, name('parameters')),
    });
  }
  reader.end('contributions');
  return { circuitHash, contributions };
}

export function encodeKeyContributions({ circuitHash, contributions }: KeyContributions): Uint8Array {
  const writer = new ByteWriter().bytes(circuitHash).uint32(contributions.length);
  for (const c of contributions) {
    writer.g1(c.deltaAfter).g1(c.g1s).g1(c.g1sx).g2(c.g2spx).bytes(c.transcript);
    writeParameters(writer, c);
  }
  return writer.finish();
}
