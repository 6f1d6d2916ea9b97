/** Arg-max on every tie pattern of eight elements with four values. */
import test from 'ava';
import { evaluateElement, gathered, wiresAsTensor } from '../../../circuits/affine.js';
import * as argMax from '../../../circuits/gadgets/arg-max.js';
import { Builder } from '../../../circuits/r1cs/builder.js';
import { check } from '../../../circuits/r1cs/check.js';

const [ELEMENTS, VALUES, COLUMNS] = [8, 4, 4096];
const PATTERNS = VALUES ** ELEMENTS;

/** Element k of pattern p: digit k of p in base 4. */
const element = (pattern: number, k: number) => Math.floor(pattern / VALUES ** k) % VALUES;

for (const isLast of [false, true]) {
  test(`C13 all 65,536 patterns of 8 elements with 4 values: the ${isLast ? 'last' : 'lowest'} index of the maximum, and no other`, (t) => {
    const circuit = new Builder();
    const count = COLUMNS * ELEMENTS;
    const given = circuit.exists('x', count, (values, at, { inputs }) =>
      values.set(inputs.tensors.get('x')!, at),
    );
    const x = wiresAsTensor(
      [COLUMNS, ELEMENTS],
      given,
      new Float64Array(count),
      new Float64Array(count).fill(VALUES - 1),
    );
    const layers = Array.from({ length: ELEMENTS }, (_, k) =>
      gathered(
        x,
        [COLUMNS],
        Array.from({ length: COLUMNS }, (_unused, column) => column * ELEMENTS + k),
      ),
    );
    const position = argMax.constrain(circuit, layers, isLast);
    const label = circuit.exists('label', COLUMNS, (values, at) => {
      for (let i = 0; i < COLUMNS; i++) values[at + i] = evaluateElement(position, i, values);
    });
    for (let i = 0; i < COLUMNS; i++) {
      circuit.a.addElement(position, i, 1);
      circuit.c.add(label + i, 1);
      circuit.enforceLinear('label');
    }
    const { r1cs, program, newWires } = circuit.finish();
    for (let from = 0; from < PATTERNS; from += COLUMNS) {
      const values = Int32Array.from({ length: count }, (_, i) =>
        element(from + Math.floor(i / ELEMENTS), i % ELEMENTS),
      );
      const assignment = program.assign({ tensors: new Map([['x', values]]), ctx: 0n, salt: 0n });
      const witness = program.compact(assignment);
      t.true(check(r1cs, witness, { labels: [] }).ok);
      let wrong = 0;
      for (let i = 0; i < COLUMNS; i++) {
        const column = [...values.subarray(i * ELEMENTS, (i + 1) * ELEMENTS)];
        const top = Math.max(...column);
        const expected = isLast ? column.lastIndexOf(top) : column.indexOf(top);
        if (assignment.small[label + i] !== expected) wrong++;
      }
      t.is(wrong, 0);
      // One label moved: of every pattern of the batch another one, over the batches each of the other labels.
      const column = (from / COLUMNS) * 251;
      const wire = newWires[label + (column % COLUMNS)];
      const honest = witness.small[wire];
      for (let other = 0; other < ELEMENTS; other++) {
        if (other === honest) continue;
        witness.small[wire] = other;
        t.false(check(r1cs, witness, { labels: [] }).ok);
      }
      witness.small[wire] = honest;
    }
  });
}
