import type { R1cs, SparseMatrix } from './r1cs.js';
import type { LabelRange, RecordedMatrix } from './builder.js';

/** The finished system and where everything went. */
export interface Arrangement {
  readonly r1cs: R1cs;
  /** Final wire of each provisional wire. */
  readonly newWires: Uint32Array;
  /** By final row, ascending. */
  readonly labels: readonly LabelRange[];
}

export interface Recording {
  readonly wireCount: number;
  readonly publicBlocks: readonly { first: number; count: number }[];
  readonly bitWires: Uint32Array;
  readonly matrices: readonly [RecordedMatrix, RecordedMatrix, RecordedMatrix];
  readonly coefficients: readonly bigint[];
  /** Coefficient id of 1. */
  readonly one: number;
  readonly rowLabels: readonly LabelRange[];
  readonly bitLabels: readonly LabelRange[];
}

/**
 * Orders wires as 1, public, bits, others, and rows as bit rows, others. Within each class the order of
 * creation is kept, so a row sorted by provisional wire becomes sorted again by one stable partition.
 */
export function arrange(recording: Recording): Arrangement {
  const { wireCount, publicBlocks, bitWires, matrices, one } = recording;
  const classes = new Uint8Array(wireCount).fill(2);
  const newWires = new Uint32Array(wireCount);
  classes[0] = 0;
  let next = 1;
  for (const { first, count } of publicBlocks) {
    for (let i = 0; i < count; i++) {
      classes[first + i] = 0;
      newWires[first + i] = next++;
    }
  }
  const publicCount = next - 1;
  for (const wire of bitWires) if (classes[wire] === 2) classes[wire] = 1;
  for (let wire = 1; wire < wireCount; wire++) if (classes[wire] === 1) newWires[wire] = next++;
  for (let wire = 1; wire < wireCount; wire++) if (classes[wire] === 2) newWires[wire] = next++;

  const arrangeMatrix = (matrix: RecordedMatrix): SparseMatrix => {
    const bitCount = bitWires.length;
    const rowTotal = matrix.starts.length - 1;
    const entries = matrix.wires.length;
    const rowStarts = new Uint32Array(bitCount + rowTotal + 1);
    const wires = new Uint32Array(bitCount + entries);
    const coefficientIds = new Uint32Array(bitCount + entries);
    for (let i = 0; i < bitCount; i++) {
      rowStarts[i] = i;
      wires[i] = newWires[bitWires[i]];
    }
    coefficientIds.fill(one, 0, bitCount);
    const from = matrix.wires.data;
    const fromIds = matrix.coefficientIds.data;
    const starts = matrix.starts.data;
    let out = bitCount;
    for (let row = 0; row < rowTotal; row++) {
      rowStarts[bitCount + row] = out;
      for (let kind = 0; kind < 3; kind++) {
        for (let k = starts[row]; k < starts[row + 1]; k++) {
          if (classes[from[k]] !== kind) continue;
          wires[out] = newWires[from[k]];
          coefficientIds[out++] = fromIds[k];
        }
      }
    }
    rowStarts[bitCount + rowTotal] = out;
    return { rowStarts, wires, coefficientIds };
  };

  const r1cs: R1cs = {
    wireCount,
    publicCount,
    constraintCount: bitWires.length + matrices[0].starts.length - 1,
    a: arrangeMatrix(matrices[0]),
    b: arrangeMatrix(matrices[1]),
    c: arrangeMatrix(matrices[2]),
    coefficients: recording.coefficients,
  };
  const labels = [
    ...recording.bitLabels,
    ...recording.rowLabels.map(({ first, label }) => ({ first: first + bitWires.length, label })),
  ];
  return { r1cs, newWires, labels };
}
