/**
 * Circuits with one hole each. A line that starts with `-` stands in the sound form only, one with `+` in the
 * broken form only; so every fixture is tested both ways. `after` names the published bug it re-creates.
 */
import { names, weighted } from '../../support/textual-r1cs.js';

export interface Planted {
  readonly title: string;
  /** The published finding, or the design rule that the hole breaks. */
  readonly after: string;
  readonly given: string;
  readonly rows: readonly string[];
}

const byte = (stem: string): string => `bits ${names(stem, 8)}`;

export const PUBLISHED: readonly Planted[] = [
  {
    title: 'hash computed in the witness, assigned, never constrained',
    after: 'Tornado Cash 2019: MiMC output assigned with = instead of <==',
    given: 'x k',
    rows: ['x + k . x + k = t', 't . t = u', '- u . x + k = hash', '+ u . x + k = spare', '+ hash = other'],
  },
  {
    title: 'sponge output squeezed from a wire without a row',
    after: 'circomlib MiMCSponge: outs[0] not constrained',
    given: 'x y',
    rows: ['x . x = s', 's + y . s + y = t', '- out = t + x', '+ out = t + capacity'],
  },
  {
    title: 'decoder whose lines may all be zero',
    after: 'circomlib Decoder: success is free',
    given: 'i',
    rows: [
      'bits d0 d1 d2',
      '- d0 + d1 + d2 = 1',
      '- d1 + 2 d2 = i',
      '+ d0 . i = 0',
      '+ d1 . i - 1 = 0',
      '+ d2 . i - 2 = 0',
      '+ d0 + d1 + d2 = success',
      '+ bits success',
      'out = 3 d0 + 5 d1 + 4 d2',
    ],
  },
  {
    title: 'is-zero without the row that kills the flag',
    after: '0xPARC tracker: is-zero with one constraint',
    given: 'x',
    rows: ['x . i = 1 - z', '- x . z = 0'],
  },
  {
    title: 'is-zero without the row of the inverse',
    after: 'zkbugs: is-zero flag may always be 0',
    given: 'x',
    rows: ['- x . i = 1 - z', 'x . z = 0', '+ bits z'],
  },
  {
    title: 'is-zero whose inverse is read elsewhere',
    after: 'zkbugs: value of the inverse leaks at zero',
    given: 'x',
    rows: ['x . i = 1 - z', 'x . z = 0', '+ out = i + z', '- out = x + z'],
  },
  {
    title: 'integer division whose remainder may reach the divisor',
    after: 'zkbugs: quotient and remainder of a division by a computed number, remainder not bounded by it',
    given: 'x y',
    rows: [
      'bits q0 q1 q2 r0 r1 t0 t1',
      'q0 + 2 q1 + 4 q2 . y = x - r0 - 2 r1',
      '- y = 1 + r0 + 2 r1 + t0 + 2 t1',
    ],
  },
  {
    title: 'integer division with a slack that may be negative',
    after: 'design rule: r < y needs y − 1 − r ≥ 0, not only some y − 1 − r',
    given: 'x y',
    rows: [
      'bits q0 q1 q2 r0 r1 t0 t1',
      'q0 + 2 q1 + 4 q2 . y = x - r0 - 2 r1',
      '- y = 1 + r0 + 2 r1 + t0 + 2 t1',
      '+ y = 1 + r0 + 2 r1 + t0 - 2 t1',
    ],
  },
  {
    title: 'division without a check that the divisor is not zero',
    after: 'circomlib Edwards2Montgomery: underconstrained at the pole',
    given: 'u v',
    rows: ['1 - v . q = 1 + v', '- 1 - v . i = 1'],
  },
  {
    title: 'point addition with a slope that is free for equal abscissae',
    after: 'circom-ecdsa: incomplete addition',
    given: 'x1 y1 x2 y2',
    rows: ['x2 - x1 . l = y2 - y1', '- x2 - x1 . i = 1', 'l . l = x3 + x1 + x2'],
  },
  {
    title: 'decomposition into as many bits as the field has',
    after: 'gnark GHSA-498w-5j49-vqjg, circomlib Num2Bits(254): the value plus the modulus',
    given: 'x',
    rows: [
      `- bits ${names('b', 128)}`,
      `- x = ${weighted('b', 128)}`,
      `+ bits ${names('b', 254)}`,
      `+ x = ${weighted('b', 254)}`,
    ],
  },
  {
    title: 'leaf index with unchecked high part: one note, many nullifiers',
    after: 'Aztec 2.0: missing bit-length check, nondeterministic nullifier',
    given: 'x',
    rows: ['bits p0 p1 p2', 'x = p0 + 2 p1 + 4 p2 + 8 h', '- bits h', 'nullifier = 3 p0 + h'],
  },
  {
    title: 'quotient and remainder registers without range checks',
    after: 'circom-pairing: BigMod output not range-checked',
    given: 'x',
    rows: [
      'x = 7 q + r',
      `- bits ${names('q', 5)} ${names('r', 3)}`,
      `- q = ${weighted('q', 5)}`,
      '- r = r0 + 2 r1 + 3 r2',
    ],
  },
  {
    title: 'remainder range-checked to a power of two above the divisor',
    after: 'circom-pairing: result of BigLessThan ignored, r < p not enforced',
    given: 'x',
    rows: [
      `bits ${names('q', 5)} ${names('r', 3)}`,
      `q = ${weighted('q', 5)}`,
      '- r = r0 + 2 r1 + 3 r2',
      '+ r = r0 + 2 r1 + 4 r2',
      'x = 7 q + r',
    ],
  },
  {
    title: 'remainder without any constraint',
    after: 'Polygon zkEVM: missing remainder constraint in division',
    given: 'x',
    rows: [`bits ${names('q', 5)}`, 'x = 8 q0 + 16 q1 + 32 q2 + 64 q3 + 128 q4 + r', '- bits r'],
  },
  {
    title: 'division whose quotient is not bounded',
    after: 'zkSync Era: quotient range check missing',
    given: 'x',
    rows: ['bits r0 r1', 'x = 4 q + r0 + 2 r1', '- bits q0 q1 q2', '- q = q0 + 2 q1 + 4 q2'],
  },
  {
    title: 'carry of a limb addition that is not a bit',
    after: 'circom-bigint: carry range check missing',
    given: 'a b',
    rows: [`a + b = s + 256 carry`, byte('s'), `s = ${weighted('s', 8)}`, '- bits carry'],
  },
  {
    title: 'limb sum without the range check of its low limb',
    after: 'BigInt templates: missing bit-length check',
    given: 'a b',
    rows: ['a + b = s + 256 carry', 'bits carry', `- ${byte('s')}`, `- s = ${weighted('s', 8)}`],
  },
  {
    title: 'Merkle path selector that is not a bit',
    after: 'MACI and Semaphore forks: path index without booleanity',
    given: 'x l r',
    rows: ['x = i0 + 2 i1', '- bits i0 i1', '+ bits i0', 'i0 . r - l = p', 'i1 . l - r = q', 'out = p + q'],
  },
  {
    title: 'free selector of a multiplexer',
    after: 'zkbugs: unconstrained mux selector',
    given: 'a b x',
    rows: ['bits s', 's . b - a = out - a', '- s = x'],
  },
  {
    title: 'equality enforced only while a private flag is up',
    after: 'ForceEqualIfEnabled with a private enabled',
    given: 'x e',
    rows: ['- y = x', '+ enabled . x - y = 0', '+ bits enabled'],
  },
  {
    title: 'square root with either sign',
    after: 'StealthDrop: two nullifiers for one signature',
    given: 'x',
    rows: ['y . y = x', `- bits ${names('b', 16)}`, `- x = ${weighted('b', 16)}`, '- y = x'],
  },
  {
    title: 'sorted pair that keeps only the sum',
    after: 'memory-consistency bugs: permutation not enforced',
    given: 'a b s',
    rows: ['- s . a - b = lo - b', 'lo + hi = a + b'],
  },
  {
    title: 'comparison through a decomposition one bit too wide for the field',
    after: 'Dark Forest v0.3: LessThan without input range checks',
    given: 'a b',
    rows: [
      `- bits ${names('b', 33)}`,
      `- a - b + 4294967296 = ${weighted('b', 33)}`,
      '- less = 1 - b32',
      `+ bits ${names('b', 254)}`,
      `+ a - b + 4294967296 = ${weighted('b', 254)}`,
      '+ less = 1 - b253',
    ],
  },
  {
    title: 'result of a comparison computed and dropped',
    after: 'Unirep: output of the range comparison not used',
    given: 'x',
    rows: [
      'x = 10 q + r',
      `bits ${names('q', 6)} ${names('r', 5)}`,
      `q = ${weighted('q', 6)}`,
      '- r = r0 + 2 r1 + 4 r2 + 2 r3',
      '+ r = r0 + 2 r1 + 4 r2 + 8 r3 + 16 r4',
      '- r4 = 0',
    ],
  },
];

const REQUANTIZE = (
  changed: Partial<Record<'low' | 'high' | 'overflow' | 'y' | 'r' | 'output', string[]>>,
): string[] => [
  'bits s',
  ...(changed.high ?? ['g . s - g = 0']),
  ...(changed.overflow ?? ['o0 . 1 - s + g - o0 = 0', 'o1 . 1 - s + g - o1 = 0']),
  ...(changed.y ?? ['bits y0 y1 y2']),
  ...(changed.r ?? ['bits r0 r1 r2']),
  // b = 7, Y = 8, n = 3, K = 24; u = 7·(−24(1 − s) + 8g + 8·O + ylow) + r, O = o0 + o1, r = r0 + 2·r1 + 3·r2
  'u = -168 + 168 s + 56 g + 56 o0 + 56 o1 + 7 y0 + 14 y1 + 28 y2 + r0 + 2 r1 + 3 r2',
  ...(changed.output ?? ['s - g . y0 + 2 y1 + 4 y2 = y - 7 g']),
];

export const DESIGNED: readonly Planted[] = [
  {
    title: 'requantization: sign not a bit',
    after: 'DESIGN: row 1',
    given: 'u',
    rows: REQUANTIZE({}).flatMap((row) => (row === 'bits s' ? ['- bits s'] : [row])),
  },
  {
    title: 'requantization: upper overflow without its row',
    after: 'DESIGN: row 2',
    given: 'u',
    rows: REQUANTIZE({ high: ['- g . s - g = 0', '+ bits g'] }),
  },
  {
    title: 'requantization: overflow bits allowed in range',
    after: 'DESIGN: row 3',
    given: 'u',
    rows: REQUANTIZE({
      overflow: ['- o0 . 1 - s + g - o0 = 0', '- o1 . 1 - s + g - o1 = 0', '+ bits o0 o1'],
    }),
  },
  {
    title: 'requantization: one output bit not a bit',
    after: 'DESIGN: row 4',
    given: 'u',
    rows: REQUANTIZE({ y: ['bits y0 y2', '- bits y1'] }),
  },
  {
    title: 'requantization: one remainder bit not a bit',
    after: 'DESIGN: row 5',
    given: 'u',
    rows: REQUANTIZE({ r: ['bits r0 r1', '- bits r2'] }),
  },
  {
    title: 'requantization: remainder reaches the divisor',
    after: 'DESIGN: exact range of the remainder',
    given: 'u',
    rows: REQUANTIZE({}).flatMap((row) =>
      row.startsWith('u =') ? [`- ${row}`, `+ ${row.replace('3 r2', '4 r2')}`] : [row],
    ),
  },
  {
    title: 'requantization: output row missing',
    after: 'DESIGN: row 7',
    given: 'u',
    rows: REQUANTIZE({ output: ['- s - g . y0 + 2 y1 + 4 y2 = y - 7 g', '+ y + g = y0 + z'] }),
  },
  {
    title: 'half-even tie bit not tied to the parity',
    after: 'DESIGN: x·(1 − p − x) = 0',
    given: 'u',
    rows: [
      'bits y0 y1 y2 e0 e1',
      '- x . 1 - y0 - x = 0',
      '+ bits x',
      // k = 2: u = 4·y + p + e + 2x with p the parity of y and e in [0, 2]
      'u = 4 y0 + 8 y1 + 16 y2 + y0 + e0 + e1 + 2 x',
      'y = y0 + 2 y1 + 4 y2',
    ],
  },
  {
    title: 'half-even with a remainder one too wide',
    after: 'DESIGN: e in [0, 2^k − 2]',
    given: 'u',
    rows: [
      'bits y0 y1 y2 e0 e1',
      'x . 1 - y0 - x = 0',
      '- u = 4 y0 + 8 y1 + 16 y2 + y0 + e0 + e1 + 2 x',
      '+ u = 4 y0 + 8 y1 + 16 y2 + y0 + e0 + 2 e1 + 2 x',
      'y = y0 + 2 y1 + 4 y2',
    ],
  },
  {
    title: 'sign and magnitude: the sign of zero',
    after: 'DESIGN: deterministic branches',
    given: 'x',
    rows: [
      'bits s m0 m1 m2',
      '- x = m0 + 2 m1 + 4 m2 - 8 + 8 s',
      '+ s . 2 m0 + 4 m1 + 8 m2 = m0 + 2 m1 + 4 m2 - x',
      'y = s + m0',
    ],
  },
  {
    title: 'maximum that is only an upper bound',
    after: 'DESIGN: max-pool',
    given: 'a b',
    rows: [
      'bits s d0 d1 d2 e0 e1 e2',
      '- a - b = d0 + 2 d1 + 4 d2 - 8 + 8 s',
      '- s . a - b = m - b',
      '+ m - a = d0 + 2 d1 + 4 d2',
      '+ m - b = e0 + 2 e1 + 4 e2',
      '- e0 + 2 e1 + 4 e2 = a',
      '+ bits m0 m1 m2 m3',
      '+ m = m0 + 2 m1 + 4 m2 + 8 m3 + s',
    ],
  },
  {
    title: 'rectifier whose sign bit is not tied to the value',
    after: 'DESIGN: requantize + ReLU',
    given: 'x',
    rows: ['bits s d0 d1 d2', '- x = d0 + 2 d1 + 4 d2 - 8 + 8 s', 's . x = y', '+ d0 + 2 d1 + 4 d2 = 5'],
  },
  {
    title: 'one bit of an exact-range group read by itself',
    after: 'DESIGN: never the bits of an exact-range decomposition',
    given: 'x',
    rows: ['bits r0 r1 r2', 'x = r0 + 2 r1 + 3 r2', '- out = 2 r0 + 4 r1 + 6 r2', '+ out = r0 + 2 r1'],
  },
  {
    title: 'exact-range bits read in another proportion',
    after: 'DESIGN: bits of an exact-range group only up to their weighted sum',
    given: 'x',
    rows: [
      'bits r0 r1 r2',
      'x = r0 + 2 r1 + 3 r2',
      'out = y + 1',
      '- y = r0 + 2 r1 + 3 r2',
      '+ y = r0 + 2 r1 + 4 r2',
    ],
  },
  {
    title: 'table look-up that may choose no entry',
    after: 'DESIGN: two-level one-hot',
    given: 'x',
    rows: [
      `bits ${names('h', 4)} ${names('l', 4)}`,
      '- h0 + h1 + h2 + h3 = 1',
      'l0 + l1 + l2 + l3 = 1',
      'x = 4 h1 + 8 h2 + 12 h3 + l1 + 2 l2 + 3 l3',
      'out = 7 h0 + 5 h1 + l2',
    ],
  },
  {
    title: 'table look-up whose two levels overlap',
    after: 'DESIGN: two-level one-hot',
    given: 'x',
    rows: [
      `bits ${names('h', 4)} ${names('l', 4)}`,
      'h0 + h1 + h2 + h3 = 1',
      'l0 + l1 + l2 + l3 = 1',
      '- x = 4 h1 + 8 h2 + 12 h3 + l1 + 2 l2 + 3 l3',
      '+ x = 3 h1 + 6 h2 + 9 h3 + l1 + 2 l2 + 3 l3',
      'out = 7 h0 + 5 h1 + l2',
    ],
  },
  {
    title: 'tree bin without its upper comparison',
    after: 'DESIGN: one-hot bin checked by two comparisons',
    given: 'x',
    rows: [
      `bits h0 h1 h2 ${names('d', 4)} ${names('e', 4)}`,
      'h0 + h1 + h2 = 1',
      `x = 4 h1 + 9 h2 + ${weighted('d', 4)}`,
      '- x = 3 h0 + 8 h1 + 15 h2 - e0 - 2 e1 - 4 e2 - 8 e3',
      'out = h1 + 2 h2',
    ],
  },
  {
    title: 'bit without a wire: combination not checked to be a bit',
    after: 'DESIGN: elimination of the linear row',
    given: 'x',
    rows: [
      'bits b0 b1',
      // x = b0 + 2 b1 + 4 t: four times the combination t must be 0 or 4
      '- x - b0 - 2 b1 . x - b0 - 2 b1 - 4 = 0',
      'y = b0 + b1',
    ],
  },
];
