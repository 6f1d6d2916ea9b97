/**
 * When does the value of an integer sum fix its terms? A digit is a term that takes finitely many values;
 * `splitDigits` cuts a sum into blocks whose own sums are fixed, `casesAreDisjoint` tells two sums apart.
 * All of it is about integers: the caller has made sure that no sum reaches half the field modulus.
 */

/** A term with values low, low + step·k, … at most low + spread. */
export interface Digit {
  /** The wires that this term is made of: one bit or ranged wire, or a one-hot group. */
  readonly wires: readonly number[];
  readonly low: bigint;
  readonly spread: bigint;
  /** Divides every difference of two values. Positive. */
  readonly step: bigint;
}

export interface Split {
  /** In ascending order of step. */
  readonly blocks: readonly (readonly Digit[])[];
  /** Lower bound of the whole sum, its spread, and for every cut the spread below it and the step above it. */
  readonly low: bigint;
  readonly spread: bigint;
  readonly cuts: readonly { readonly below: bigint; readonly step: bigint }[];
}

/**
 * Cuts a sum of digits wherever `step above > spread below`.
 *
 * Proof that the two sides of a cut are fixed by the total: let (l, u) and (l', u') be two pairs of side sums with
 * l + u = l' + u'. Then u − u' = l' − l is a multiple of the step above, because every digit above moves in
 * multiples of its own step and the step above is their gcd, and |l' − l| ≤ spread below < step above. So it is 0.
 */
export function splitDigits(digits: readonly Digit[]): Split {
  const sorted = [...digits].sort((a, b) => compare(a.step, b.step) || compare(a.spread, b.spread));
  const stepFrom: bigint[] = new Array<bigint>(sorted.length + 1).fill(0n);
  for (let i = sorted.length - 1; i >= 0; i--) stepFrom[i] = gcd(stepFrom[i + 1]!, sorted[i]!.step);
  const blocks: Digit[][] = [];
  const cuts: { below: bigint; step: bigint }[] = [];
  let low = 0n;
  let spread = 0n;
  let block: Digit[] = [];
  sorted.forEach((digit, i) => {
    low += digit.low;
    spread += digit.spread;
    block.push(digit);
    if (i + 1 === sorted.length || stepFrom[i + 1]! > spread) {
      blocks.push(block);
      block = [];
      if (i + 1 < sorted.length) cuts.push({ below: spread, step: stepFrom[i + 1]! });
    }
  });
  return { blocks, low, spread, cuts };
}

/**
 * Whether no value of one sum is a value of the other.
 *
 * Either their intervals are disjoint; or, below a cut of each, with g the gcd of the two steps above: both sums are
 * (lower part) modulo g, the lower parts lie in [low, low + below], and these arcs do not meet on the circle of
 * circumference g.
 */
export function casesAreDisjoint(one: Split, other: Split): boolean {
  if (one.low + one.spread < other.low || other.low + other.spread < one.low) return true;
  const withWhole = ({ cuts, spread }: Split): readonly { below: bigint; step: bigint }[] => [
    ...cuts,
    { below: spread, step: 0n },
  ];
  for (const a of withWhole(one))
    for (const b of withWhole(other)) {
      const g = gcd(a.step, b.step);
      if (g === 0n) continue;
      const offset = (((other.low - one.low) % g) + g) % g;
      if (offset > a.below && g - offset > b.below) return true;
    }
  return false;
}

export function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
