/** [x ≠ 0], element by element. An element whose bounds decide gets no test: its inverse would be free. */
import { AffineWriter, type AffineTensor } from '../affine.js';
import * as isZero from '../gadgets/is-zero.js';
import type { Builder } from '../r1cs/builder.js';

/** 1 − z for the is-zero flag z of each element that can be zero and something else. */
export function notZero(circuit: Builder, x: AffineTensor): AffineTensor {
  const isOpen = (i: number) => x.lo[i] <= 0 && x.hi[i] >= 0 && x.lo[i] < x.hi[i];
  const tests = Array.from(x.lo, (_, index) => ({ index, value: 0 })).filter(({ index }) => isOpen(index));
  const flags = isZero.constrain(circuit, x, tests);
  const writer = new AffineWriter();
  for (let i = 0, next = flags; i < x.lo.length; i++) {
    const known = x.lo[i] > 0 || x.hi[i] < 0 ? 1 : 0;
    if (!isOpen(i)) writer.end(known, known, known);
    else {
      writer.term(next++, -1);
      writer.end(1, 0, 1);
    }
  }
  return writer.finish(x.shape);
}
