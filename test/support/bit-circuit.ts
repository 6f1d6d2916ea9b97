import type { CompactWitness, R1cs, SparseMatrix } from '../../circuits/r1cs/r1cs.js';

/** Sparse linear combination: wire → coefficient, any sign. */
export type Combination = ReadonlyMap<number, bigint>;

const order = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

/** An R1cs from rows written out by hand. */
export function r1csOf(
  wireCount: number,
  publicCount: number,
  rows: readonly (readonly [Combination, Combination, Combination])[],
): R1cs {
  const ids = new Map<bigint, number>();
  const matrix = (side: 0 | 1 | 2): SparseMatrix => {
    const rowStarts = [0];
    const wires: number[] = [];
    const coefficientIds: number[] = [];
    for (const row of rows) {
      for (const [wire, coefficient] of [...row[side]].sort(([a], [b]) => a - b)) {
        const canonical = ((coefficient % order) + order) % order;
        if (!ids.has(canonical)) ids.set(canonical, ids.size);
        wires.push(wire);
        coefficientIds.push(ids.get(canonical)!);
      }
      rowStarts.push(wires.length);
    }
    return {
      rowStarts: Uint32Array.from(rowStarts),
      wires: Uint32Array.from(wires),
      coefficientIds: Uint32Array.from(coefficientIds),
    };
  };
  const [a, b, c] = [matrix(0), matrix(1), matrix(2)];
  return { wireCount, publicCount, constraintCount: rows.length, a, b, c, coefficients: [...ids.keys()] };
}

export interface BitCircuit {
  readonly r1cs: R1cs;
  /** A satisfying assignment drawn from `random` (a value in [0, 1) a call). */
  witness(random: () => number): CompactWitness;
}

const bitsPerUnit = 19;

/**
 * The wire mix of a quantized network (95 % bits): a unit is 19 bit rows, a sum row and a product row
 * sign·sum = output, over 21 wires. The last outputs are public. Close to `rows` constraints.
 */
export function bitCircuit(rows: number, publicCount = 2): BitCircuit {
  const unitCount = Math.max(publicCount, Math.floor((rows - publicCount) / (bitsPerUnit + 2)));
  const firstUnit = publicCount + 1;
  const unitWires = bitsPerUnit + 2;
  const at = (unit: number): number => firstUnit + unit * unitWires;
  const wireCount = at(unitCount);
  const out: [Combination, Combination, Combination][] = [];
  for (let unit = 0; unit < unitCount; unit++) {
    const bits = Array.from({ length: bitsPerUnit }, (_, j) => at(unit) + j);
    for (const bit of bits) out.push([new Map([[bit, 1n]]), new Map([[bit, 1n]]), new Map([[bit, 1n]])]);
    const sum = at(unit) + bitsPerUnit;
    const weighted = new Map(bits.map((bit, j) => [bit, 1n << BigInt(j)] as const));
    // sum = Σ 2^j·bit_j − 3·(output of the unit before), so that sums run negative too.
    const taps = new Map(unit === 0 ? [] : [[at(unit - 1) + bitsPerUnit + 1, -3n] as const]);
    out.push([new Map([...weighted, ...taps]), new Map([[0, 1n]]), new Map([[sum, 1n]])]);
    out.push([new Map([[bits[0], 1n]]), new Map([[sum, 1n]]), new Map([[sum + 1, 1n]])]);
  }
  for (let s = 0; s < publicCount; s++) {
    out.push([
      new Map([[at(unitCount - 1 - s) + bitsPerUnit + 1, 1n]]),
      new Map([[0, 1n]]),
      new Map([[s + 1, 1n]]),
    ]);
  }
  return {
    r1cs: r1csOf(wireCount, publicCount, out),
    witness(random) {
      const small = new Int32Array(wireCount);
      small[0] = 1;
      let before = 0;
      for (let unit = 0; unit < unitCount; unit++) {
        // An output over 2^26 would leave int32 in a few units; sign 0 resets the chain.
        const keep = Math.abs(before) < 2 ** 26 ? Math.floor(random() * 2) : 0;
        let sum = -3 * before;
        for (let j = 0; j < bitsPerUnit; j++) {
          const bit = j === 0 ? keep : Math.floor(random() * 2);
          small[at(unit) + j] = bit;
          sum += bit * 2 ** j;
        }
        small[at(unit) + bitsPerUnit] = sum;
        before = keep * sum;
        small[at(unit) + bitsPerUnit + 1] = before;
      }
      for (let s = 0; s < publicCount; s++) small[s + 1] = small[at(unitCount - 1 - s) + bitsPerUnit + 1];
      return { small, largeWires: new Uint32Array(0), largeValues: new Uint8Array(0) };
    },
  };
}
