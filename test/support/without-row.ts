/** The same system with one constraint deleted: what a forgotten line would have made of it. */
import type { R1cs, SparseMatrix } from '../../circuits/r1cs/r1cs.js';

export function withoutRow(r1cs: R1cs, row: number): R1cs {
  return {
    ...r1cs,
    constraintCount: r1cs.constraintCount - 1,
    a: cut(r1cs.a, row),
    b: cut(r1cs.b, row),
    c: cut(r1cs.c, row),
  };
}

function cut({ rowStarts, wires, coefficientIds }: SparseMatrix, row: number): SparseMatrix {
  const [start, end] = [rowStarts[row]!, rowStarts[row + 1]!];
  const without = (list: Uint32Array): Uint32Array => {
    const out = new Uint32Array(list.length - (end - start));
    out.set(list.subarray(0, start));
    out.set(list.subarray(end), start);
    return out;
  };
  const starts = Uint32Array.from({ length: rowStarts.length - 1 }, (_, i) =>
    i <= row ? rowStarts[i]! : rowStarts[i + 1]! - (end - start),
  );
  return { rowStarts: starts, wires: without(wires), coefficientIds: without(coefficientIds) };
}
