/** Section 4 of a `.zkey`: the entries of A and B, and the extra rows of the public wires (qap.ts). */
import type { R1cs } from '../../circuits/r1cs/r1cs.js';
import { coefficientForm, fieldBytes, writeLittleEndian } from './points.js';
import { coefficientBytes } from './zkey.js';

const entriesAtOnce = 2 ** 15;

/** Section 4, in snarkjs's order (row by row, A before B, then the extra rows), a piece at a time. */
export function* encodeCoefficients(r1cs: R1cs): Generator<Uint8Array> {
  const { a, b, constraintCount, publicCount } = r1cs;
  const count = new Uint8Array(4);
  new DataView(count.buffer).setUint32(0, a.wires.length + b.wires.length + publicCount + 1, true);
  yield count;

  const forms = new Uint8Array((r1cs.coefficients.length + 1) * fieldBytes);
  r1cs.coefficients.forEach((value, id) => writeLittleEndian(forms, id * fieldBytes, coefficientForm(value)));
  const oneId = r1cs.coefficients.length;
  writeLittleEndian(forms, oneId * fieldBytes, coefficientForm(1n));

  let piece = new Uint8Array(entriesAtOnce * coefficientBytes);
  let filled = 0;
  const put = (matrix: number, row: number, wire: number, id: number): Uint8Array | null => {
    const at = filled * coefficientBytes;
    const words = new DataView(piece.buffer, at, 12);
    words.setUint32(0, matrix, true);
    words.setUint32(4, row, true);
    words.setUint32(8, wire, true);
    piece.set(forms.subarray(id * fieldBytes, (id + 1) * fieldBytes), at + 12);
    filled += 1;
    if (filled < entriesAtOnce) return null;
    const full = piece;
    piece = new Uint8Array(entriesAtOnce * coefficientBytes);
    filled = 0;
    return full;
  };
  for (let row = 0; row < constraintCount; row++) {
    for (const [matrix, entries] of [a, b].entries()) {
      for (let k = entries.rowStarts[row]; k < entries.rowStarts[row + 1]; k++) {
        const full = put(matrix, row, entries.wires[k], entries.coefficientIds[k]);
        if (full !== null) yield full;
      }
    }
  }
  for (let s = 0; s <= publicCount; s++) {
    const full = put(0, constraintCount + s, s, oneId);
    if (full !== null) yield full;
  }
  yield piece.subarray(0, filled * coefficientBytes);
}
