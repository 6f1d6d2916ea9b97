/** Rule 8 of the uniqueness check: Euclidean division by a known divisor that another row keeps above the remainder. */
import { FIELD_MODULUS, signed, canonical } from '../field.js';
import { combine, type Combination, type Facts } from './uniqueness-facts.js';

export interface Division {
  /** Sums that the row fixes: quotient, remainder, and the slack between remainder and divisor. */
  readonly sums: readonly Combination[];
}

const HALF = FIELD_MODULUS >> 1n;

/**
 * Rule 8. Rows  Q·B = C − R  and  ±(B − 1 − R − T) = 0  with B and C known; Q, R, T sums of bits with positive
 * weights, R the unknown part of the first right side. Then Q, R and T are fixed.
 *
 * Proof: let all partial sums stay below half the modulus. The second row says that B is the integer 1 + R + T, so
 * 1 ≤ B ≤ 1 + max R + max T and 0 ≤ R < B. Let (Q, R) and (Q′, R′) be two solutions: (Q − Q′)·B ≡ R′ − R. Both sides
 * are smaller than half the modulus (max Q·max B + max R is), so they are equal as integers, and |R′ − R| < B leaves
 * only Q = Q′ and R = R′. Then T = B − 1 − R.
 *
 * @param quotient the side with unknown wires, @param divisor the known side, @param rest the unknown part of C.
 * @param linear a row that reads a bit of the remainder.
 */
export function divisionOf(
  quotient: Combination,
  divisor: Combination,
  rest: Combination,
  linear: Combination,
  facts: Facts,
): Division | undefined {
  const none: Combination = { wires: [], coefficients: [], constant: 0n };
  const remainder = combine(rest, -1n, none, 0n);
  const most = sumOfBits(quotient, facts);
  const mostRemainder = sumOfBits(remainder, facts);
  if (most === undefined || mostRemainder === undefined) return undefined;
  for (const sign of [1n, -1n]) {
    // sign·linear = B − 1 − R − T  ⇔  slack = B − 1 − R − sign·linear = T.
    const slack = combine(
      combine(combine(divisor, 1n, remainder, -1n), 1n, linear, -sign),
      1n,
      { ...none, constant: 1n },
      -1n,
    );
    const mostSlack = sumOfBits(slack, facts);
    if (mostSlack === undefined) continue;
    const mostDivisor = 1n + mostRemainder + mostSlack;
    if (most * mostDivisor + mostRemainder < HALF) return { sums: [quotient, remainder, slack] };
  }
  return undefined;
}

/** The largest value of Σ weight·bit with positive weights and no constant; undefined for anything else. */
function sumOfBits({ wires, coefficients, constant }: Combination, facts: Facts): bigint | undefined {
  if (constant !== 0n) return undefined;
  let most = 0n;
  for (let k = 0; k < wires.length; k++) {
    const weight = signed(canonical(coefficients[k]!));
    if (facts.isBit[wires[k]!] !== 1 || weight <= 0n) return undefined;
    most += weight;
  }
  return most;
}
