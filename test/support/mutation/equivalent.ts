/**
 * Mutants that provably change no verdict and no payment. They are left out of the count: no test could notice them.
 * Each is named by its place and argued; a test fails when an entry no longer names a mutant.
 */
import type { Mutant } from './mutant.js';

export interface Equivalence {
  readonly file: string;
  /** The line, without the spaces around it. */
  readonly code: string;
  readonly change: string;
  /** Which of the mutants of this line with this change, from zero. */
  readonly nth: number;
  readonly because: string;
}

const weight = 'weight := or(shr(128, keccak256(0x00, 0x40)), iszero(shr(128, keccak256(0x00, 0x40))))';
const secondHalf =
  'the second half is 1 only where the first is 0, which a hash gives with probability 2^-128';
const callOut = 'ok := call(gas(), to, amountWei, 0, 0, 0, 0) // what it returns is not copied';

export const equivalences: readonly Equivalence[] = [
  ...(['shr → shl', '128 → 96', '0x00 → 0x1', '0x40 → 0x20'] as const).map((change) => ({
    file: 'Groth16Verifier.sol',
    code: weight,
    change,
    nth: 1,
    because: secondHalf,
  })),
  {
    file: 'Groth16Verifier.sol',
    code: weight,
    change: '128 → 96',
    nth: 0,
    because: 'a weight of 160 bits binds at least as well as one of 128, at the same price',
  },
  {
    file: 'InferenceMarket.sol',
    code: callOut,
    change: '0 → 1',
    nth: 0,
    because: 'where an empty input begins',
  },
  {
    file: 'InferenceMarket.sol',
    code: callOut,
    change: '0 → 1',
    nth: 2,
    because: 'where an empty output begins',
  },
  {
    file: 'InferenceMarket.sol',
    code: callOut,
    change: '0 → 1',
    nth: 3,
    because: 'a byte of the output in scratch memory that nothing reads',
  },
  {
    file: 'prover/codec.ts',
    code: "if (typeof value !== 'string' || value.length > 77 || !/^(0|[1-9][0-9]*)$/.test(value)) {",
    change: '77 → 78',
    nth: 0,
    because: 'a number of 78 digits is above both moduli and refused as such',
  },
  {
    file: 'service/verifier/chain.ts',
    code: "body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),",
    change: '1 → 2',
    nth: 0,
    because: 'one request an HTTP exchange: its id tells nothing apart',
  },
];

/** The mutants without the equivalent ones; `unused` are entries that name none. */
export function withoutEquivalent(mutants: readonly Mutant[]): {
  readonly mutants: Mutant[];
  readonly unused: readonly Equivalence[];
} {
  const met = new Map<string, number>();
  const used = new Set<Equivalence>();
  const left = mutants.filter(({ file, line, code, change }) => {
    const place = `${file}:${line} ${change}`;
    const nth = met.get(place) ?? 0;
    met.set(place, nth + 1);
    const known = equivalences.find(
      (one) => one.file === file && one.code === code && one.change === change && one.nth === nth,
    );
    if (known !== undefined) used.add(known);
    return known === undefined;
  });
  return { mutants: left, unused: equivalences.filter((one) => !used.has(one)) };
}
