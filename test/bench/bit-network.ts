import type { CompactWitness, R1cs, SparseMatrix } from '../../circuits/r1cs/r1cs.js';
import { random } from '../support/random.js';

/**
 * The bench circuit of any size: the wire and row mix of a quantized network. A unit is one neuron:
 *
 *   19 rows   b·(b − 1) = 0                                              its bits
 *    1 row    Σ 2^j·b_j − 2^18 = Σ 16 weights·earlier outputs + bias     its accumulator
 *    1 row    b_18·(Σ 2^(j−11)·b_j, j = 11 … 17) = y                     its 7-bit rectified output
 *
 * over 20 wires, 95 % of them bits and about half of those 1. One public signal, the last output.
 */
export interface BitNetwork {
  readonly r1cs: R1cs;
  readonly witness: CompactWitness;
}

const bitCount = 19;
const taps = 16;
const unitWires = bitCount + 1;
const unitRows = bitCount + 2;

/** As many units as fit a domain of 2^logDomain rows. Deterministic in `seed`. */
export function bitNetwork(logDomain: number, seed = 1): BitNetwork {
  const units = Math.floor((2 ** logDomain - 3) / unitRows);
  const first = 2;
  const bit = (unit: number, j: number): number => first + unit * unitWires + j;
  const output = (unit: number): number => bit(unit, bitCount);
  const wireCount = first + units * unitWires;
  const constraintCount = units * unitRows + 1;
  const draw = random(seed);

  const ids = new Map<number, number>();
  const values: number[] = [];
  const idOf = (value: number): number => {
    let id = ids.get(value);
    if (id === undefined) {
      id = values.push(value) - 1;
      ids.set(value, id);
    }
    return id;
  };
  const builders = [
    new RowBuilder(constraintCount, units * (bitCount * 2 + taps + 2) + 2),
    new RowBuilder(constraintCount, units * (bitCount * 2 + 8) + 2),
    new RowBuilder(constraintCount, units + 2),
  ];
  const [a, b, c] = builders;
  const endRow = (): void => builders.forEach((builder) => builder.end());

  const small = new Int32Array(wireCount);
  small[0] = 1;
  for (let unit = 0; unit < units; unit++) {
    for (let j = 0; j < bitCount; j++) {
      a.put(bit(unit, j), idOf(1));
      b.put(0, idOf(-1));
      b.put(bit(unit, j), idOf(1));
      endRow();
    }
    const bias = draw.below(4001) - 2000;
    let accumulator = bias;
    const sources = new Set<number>();
    for (let k = 0; k < Math.min(taps, unit); k++) sources.add(draw.below(unit));
    a.put(0, idOf(-bias - 2 ** (bitCount - 1)));
    for (const source of [...sources].sort((x, y) => x - y)) {
      const weight = (draw.below(127) + 1) * (draw.below(2) === 0 ? 1 : -1);
      a.put(output(source), idOf(-weight));
      accumulator += weight * small[output(source)];
    }
    const shifted = accumulator + 2 ** (bitCount - 1);
    for (let j = 0; j < bitCount; j++) {
      a.put(bit(unit, j), idOf(2 ** j));
      small[bit(unit, j)] = (shifted >> j) & 1;
    }
    b.put(0, idOf(1));
    endRow();
    a.put(bit(unit, bitCount - 1), idOf(1));
    for (let j = bitCount - 8; j < bitCount - 1; j++) b.put(bit(unit, j), idOf(2 ** (j - bitCount + 8)));
    c.put(output(unit), idOf(1));
    small[output(unit)] = accumulator < 0 ? 0 : (shifted >> (bitCount - 8)) & 127;
    endRow();
  }
  a.put(output(units - 1), idOf(1));
  b.put(0, idOf(1));
  c.put(1, idOf(1));
  endRow();
  small[1] = small[output(units - 1)];

  const order = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
  return {
    r1cs: {
      wireCount,
      publicCount: 1,
      constraintCount,
      a: a.matrix(),
      b: b.matrix(),
      c: c.matrix(),
      coefficients: values.map((v) => (v < 0 ? order + BigInt(v) : BigInt(v))),
    },
    witness: { small, largeWires: new Uint32Array(0), largeValues: new Uint8Array(0) },
  };
}

/** A sparse matrix filled row by row; wires of a row arrive in ascending order. */
class RowBuilder {
  private readonly rowStarts: Uint32Array;
  private readonly wires: Uint32Array;
  private readonly coefficientIds: Uint32Array;
  private filled = 0;
  private row = 0;

  constructor(rows: number, capacity: number) {
    this.rowStarts = new Uint32Array(rows + 1);
    this.wires = new Uint32Array(capacity);
    this.coefficientIds = new Uint32Array(capacity);
  }
  put(wire: number, id: number): void {
    this.wires[this.filled] = wire;
    this.coefficientIds[this.filled++] = id;
  }
  end(): void {
    this.rowStarts[++this.row] = this.filled;
  }
  matrix(): SparseMatrix {
    return {
      rowStarts: this.rowStarts,
      wires: this.wires.slice(0, this.filled),
      coefficientIds: this.coefficientIds.slice(0, this.filled),
    };
  }
}
