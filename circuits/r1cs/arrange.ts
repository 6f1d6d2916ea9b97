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

  const r1cs: R1cs = {
    wireCount,
    publicCount,
    constraintCount: bitWires.length + matrices[0].starts.length - 1,
    a: arrangeMatrix(matrices[0], bitWires, classes, newWires, one),
    b: arrangeMatrix(matrices[1], bitWires, classes, newWires, one),
    c: arrangeMatrix(matrices[2], bitWires, classes, newWires, one),
    coefficients: recording.coefficients,
  };
  const labels = [
    ...recording.bitLabels,
    ...recording.rowLabels.map(({ first, label }) => ({ first: first + bitWires.length, label })),
  ];
  return { r1cs, newWires, labels };
}

/**
 * The recorded rows become the final ones where they lie (a copy of the largest matrix would be the peak of memory): all
 * entries move up by one place a bit row, then each row is partitioned by class through a small buffer.
 */
function arrangeMatrix(
  matrix: RecordedMatrix,
  bitWires: Uint32Array,
  classes: Uint8Array,
  newWires: Uint32Array,
  one: number,
): SparseMatrix {
  const bitCount = bitWires.length;
  const rowTotal = matrix.starts.length - 1;
  const entries = matrix.wires.length;
  matrix.wires.reserve(bitCount);
  matrix.coefficientIds.reserve(bitCount);
  const wires = matrix.wires.data;
  const coefficientIds = matrix.coefficientIds.data;
  wires.copyWithin(bitCount, 0, entries);
  coefficientIds.copyWithin(bitCount, 0, entries);
  const rowStarts = new Uint32Array(bitCount + rowTotal + 1);
  for (let i = 0; i < bitCount; i++) {
    rowStarts[i] = i;
    wires[i] = newWires[bitWires[i]];
  }
  coefficientIds.fill(one, 0, bitCount);
  const starts = matrix.starts.data;
  let rowWires = new Uint32Array(256);
  let rowIds = new Uint32Array(256);
  for (let row = 0; row < rowTotal; row++) {
    const from = bitCount + starts[row];
    const length = starts[row + 1] - starts[row];
    rowStarts[bitCount + row] = from;
    if (length > rowWires.length) {
      rowWires = new Uint32Array(2 * length);
      rowIds = new Uint32Array(2 * length);
    }
    for (let k = 0; k < length; k++) {
      rowWires[k] = wires[from + k];
      rowIds[k] = coefficientIds[from + k];
    }
    let out = from;
    for (let kind = 0; kind < 3; kind++) {
      for (let k = 0; k < length; k++) {
        if (classes[rowWires[k]] !== kind) continue;
        wires[out] = newWires[rowWires[k]];
        coefficientIds[out++] = rowIds[k];
      }
    }
  }
  const total = bitCount + entries;
  rowStarts[bitCount + rowTotal] = total;
  return { rowStarts, wires: wires.subarray(0, total), coefficientIds: coefficientIds.subarray(0, total) };
}
