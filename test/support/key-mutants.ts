import { bn254 } from '@noble/curves/bn254.js';
import { encodeContainer, memorySource, readContainer, readSection } from '../../prover/files/container.js';
import {
  encodeKeyContributions,
  type KeyContribution,
  readKeyContributions,
} from '../../prover/files/contribution.js';
import { encodeG1, encodeG2, g1Bytes, g2Bytes } from '../../prover/files/points.js';
import type { G1Point, G2Point } from '../../prover/keys.js';
import { q } from '../../prover/curve.js';

/** One way to cheat with a finished key, as the bytes of the key it leads to. */
export interface KeyMutant {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const ids = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const point = (k: bigint): G1Point => {
  const { x, y } = bn254.G1.Point.BASE.multiply(k).toAffine();
  return [x, y];
};
const twist = (k: bigint): G2Point => {
  const { x, y } = bn254.G2.Point.BASE.multiply(k).toAffine();
  return [
    [x.c0, x.c1],
    [y.c0, y.c1],
  ];
};

/** On the twist, of an order that r does not divide out: found by trying x = 1, 2, …. */
export function offSubgroup(): G2Point {
  const { Fp2 } = bn254.fields;
  for (let c0 = 1n; ; c0++) {
    const x = { c0, c1: 0n };
    try {
      const y = Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), bn254.G2.Point.CURVE().b));
      if (!bn254.G2.Point.fromAffine({ x, y }).isTorsionFree())
        return [
          [c0, 0n],
          [y.c0, y.c1],
        ];
    } catch {
      continue;
    }
  }
}

const zero1 = new Uint8Array(g1Bytes);
const negated = ([x, y]: G1Point): G1Point => [x, q - y];
const negated2 = ([x, [y0, y1]]: G2Point): G2Point => [x, [(q - y0) % q, (q - y1) % q]];

/** The key with another list of contributions in section 10. */
export function withContributions(
  key: Uint8Array,
  change: (contributions: readonly KeyContribution[]) => readonly KeyContribution[],
): Uint8Array {
  const container = readContainer(memorySource(key), { magic: 'zkey', versions: [1], required: ids });
  const { circuitHash, contributions } = readKeyContributions(readSection(container, 10), 'key');
  const changed = encodeKeyContributions({ circuitHash, contributions: change(contributions) });
  return encodeContainer(
    'zkey',
    1,
    ids.map((id) => ({ id, pieces: [id === 10 ? changed : readSection(container, id)] })),
  );
}

/** Every field of every contribution, the order of contributions, the header, and the sections they act on. */
export function keyMutants(key: Uint8Array): KeyMutant[] {
  const container = readContainer(memorySource(key), { magic: 'zkey', versions: [1], required: ids });
  const sections = new Map(ids.map((id) => [id, readSection(container, id)]));
  const { circuitHash, contributions } = readKeyContributions(sections.get(10)!, 'key');
  const mutants: KeyMutant[] = [];
  const put = (name: string, changes: Readonly<Record<number, Uint8Array>>): void => {
    const bytes = encodeContainer(
      'zkey',
      1,
      ids.map((id) => ({ id, pieces: [changes[id] ?? sections.get(id)!] })),
    );
    mutants.push({ name, bytes });
  };
  const chain = (name: string, list: readonly KeyContribution[]): void =>
    put(name, { 10: encodeKeyContributions({ circuitHash, contributions: list }) });
  const at = (i: number, change: Partial<KeyContribution>): KeyContribution[] =>
    contributions.map((c, j) => (i === j ? { ...c, ...change } : c));

  const foreignTwist = offSubgroup();
  for (const [i, c] of contributions.entries()) {
    const other = contributions[(i + 1) % contributions.length];
    for (const field of ['deltaAfter', 'g1s', 'g1sx'] as const) {
      const replacements: Record<string, G1Point> = {
        generator: point(1n),
        negated: negated(c[field]),
        'another contribution’s': other[field],
        'a random point': point(77n + BigInt(i)),
        'off the curve': [c[field][0], (c[field][1] + 1n) % q],
        infinity: [0n, 0n],
      };
      for (const [how, value] of Object.entries(replacements))
        chain(`${field} ${i}: ${how}`, at(i, { [field]: value }));
    }
    const twists: Record<string, G2Point> = {
      generator: twist(1n),
      negated: negated2(c.g2spx),
      'another contribution’s': other.g2spx,
      'a random point': twist(99n + BigInt(i)),
      'off the curve': [c.g2spx[0], [(c.g2spx[1][0] + 1n) % q, c.g2spx[1][1]]],
      'off the subgroup': foreignTwist,
      infinity: [
        [0n, 0n],
        [0n, 0n],
      ],
    };
    for (const [how, value] of Object.entries(twists)) chain(`g2spx ${i}: ${how}`, at(i, { g2spx: value }));
    for (const byte of [0, 31, 63]) {
      const transcript = c.transcript.slice();
      transcript[byte] ^= 1;
      chain(`transcript ${i}: byte ${byte}`, at(i, { transcript }));
    }
    chain(
      `identity ${i}: secret 1`,
      at(i, { g1sx: c.g1s, deltaAfter: i === 0 ? point(1n) : contributions[i - 1].deltaAfter }),
    );
    chain(
      `${i} dropped`,
      contributions.filter((_, j) => j !== i),
    );
    chain(
      `${i} replayed`,
      contributions.flatMap((d, j) => (i === j ? [d, d] : [d])),
    );
    chain(`${i} replayed at the end`, [...contributions, c]);
    if (i > 0) {
      const swapped = [...contributions];
      [swapped[i - 1], swapped[i]] = [swapped[i], swapped[i - 1]];
      chain(`${i - 1} and ${i} swapped`, swapped);
      chain(`all before ${i} dropped`, contributions.slice(i));
      chain(`all from ${i} dropped`, contributions.slice(0, i));
    }
    if (c.beacon === null) {
      chain(
        `${i} said to be a beacon`,
        at(i, { beacon: { value: Uint8Array.of(1, 2, 3), iterationsExponent: 10 } }),
      );
    } else {
      const { value, iterationsExponent } = c.beacon;
      const changed = value.slice();
      changed[0] ^= 1;
      chain(`beacon ${i}: another value`, at(i, { beacon: { value: changed, iterationsExponent } }));
      chain(
        `beacon ${i}: more iterations`,
        at(i, { beacon: { value, iterationsExponent: iterationsExponent + 1 } }),
      );
    }
  }

  for (const byte of [0, 40]) {
    const hash = circuitHash.slice();
    hash[byte] ^= 1;
    put(`circuit hash: byte ${byte}`, { 10: encodeKeyContributions({ circuitHash: hash, contributions }) });
  }
  const header = sections.get(2)!;
  const offsets = { alpha1: 84, beta1: 148, beta2: 212, gamma2: 340, delta1: 468, delta2: 532 };
  for (const [name, offset] of Object.entries(offsets)) {
    const isTwist = name.endsWith('2');
    const replacements = isTwist
      ? [encodeG2(twist(5n)), encodeG2(foreignTwist)]
      : [encodeG1(point(5n)), encodeG1(negated(point(9n)))];
    for (const [k, value] of replacements.entries()) {
      const bytes = header.slice();
      bytes.set(value, offset);
      put(`${name}: replacement ${k}`, { 2: bytes });
    }
  }
  for (const [name, offset] of [
    ['wire count', 72],
    ['public count', 76],
    ['domain size', 80],
  ] as const) {
    const bytes = header.slice();
    bytes[offset] ^= 1;
    put(`${name}: one bit`, { 2: bytes });
  }
  for (const [id, name] of [
    [3, 'IC'],
    [4, 'coefficients'],
    [5, 'A'],
    [6, 'B1'],
    [7, 'B2'],
  ] as const) {
    const section = sections.get(id)!;
    for (const share of [0.1, 0.5, 0.9]) {
      const bytes = section.slice();
      bytes[Math.floor(share * section.length)] ^= 1;
      put(`${name}: a bit at ${share}`, { [id]: bytes });
    }
    put(`${name}: cut`, { [id]: section.slice(0, section.length - (id === 7 ? g2Bytes : g1Bytes)) });
  }
  for (const [id, name] of [
    [8, 'C'],
    [9, 'H'],
  ] as const) {
    const section = sections.get(id)!;
    const count = section.length / g1Bytes;
    // A finite point that is not the last of H, which no quotient reaches.
    const finite = Array.from({ length: count - 1 }, (_, i) => i).filter((i) =>
      section.subarray(i * g1Bytes, (i + 1) * g1Bytes).some((b) => b !== 0),
    );
    for (const i of [finite[0], finite[finite.length >> 1], finite.at(-1)!]) {
      const replaced = section.slice();
      replaced.set(encodeG1(point(123n)), i * g1Bytes);
      put(`${name}[${i}]: another point`, { [id]: replaced });
      const erased = section.slice();
      erased.set(zero1, i * g1Bytes);
      put(`${name}[${i}]: infinity`, { [id]: erased });
      const off = section.slice();
      off[i * g1Bytes + 40] ^= 1;
      put(`${name}[${i}]: off the curve`, { [id]: off });
    }
    const swapped = section.slice();
    swapped.set(section.subarray(finite[0] * g1Bytes, (finite[0] + 1) * g1Bytes), finite[1] * g1Bytes);
    swapped.set(section.subarray(finite[1] * g1Bytes, (finite[1] + 1) * g1Bytes), finite[0] * g1Bytes);
    put(`${name}: two points swapped`, { [id]: swapped });
    put(`${name}: cut`, { [id]: section.slice(0, section.length - g1Bytes) });
  }
  return mutants;
}
