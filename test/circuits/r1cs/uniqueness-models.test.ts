/** The uniqueness check on compiled models: silent on the whole circuit, loud when any one row is missing. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { compile, type CompiledModel } from '../../../circuits/index.js';
import { loadGraph } from '../../../circuits/onnx/load.js';
import { checkUniqueness } from '../../../circuits/r1cs/uniqueness.js';
import { SeededRandom } from '../../../models/train/random.js';
import { withoutRow } from '../../support/without-row.js';

const compileModel = (name: string): CompiledModel =>
  compile(loadGraph(readFileSync(join(process.cwd(), 'models', name, 'model.onnx'))));

for (const name of ['digits8x8', 'lenet5']) {
  test(`C04 ${name}: no false alarm, and every wire but exact-range bits is determined`, (t) => {
    const { r1cs, givenWires } = compileModel(name);
    const { ok, undetermined } = checkUniqueness(r1cs, { givenWires });
    t.true(ok);
    t.deepEqual(undetermined, []);
  });
}

/**
 * Why every such deletion frees an output: without a bit row that wire absorbs, in its quotient row, any change of the
 * other bits; without a quotient row the bits of y are free; without a row of g or of an overflow bit that wire
 * absorbs instead; without a y row, a Poseidon row or a packing row its result is free. Left out: ctx·ctx, which
 * nothing reads, and the bit rows of the input, which bound given values.
 */
test('C04 digits8x8: a circuit with one constraint deleted at random is flagged', (t) => {
  const { r1cs, givenWires, labels } = compileModel('digits8x8');
  const labelOf = (row: number): string => labels.filter(({ first }) => first <= row).at(-1)!.label;
  const random = new SeededRandom(29);
  const missed: string[] = [];
  const deletions = 60;
  for (let done = 0; done < deletions;) {
    const row = Math.floor(random.between(0, r1cs.constraintCount));
    if (labelOf(row) === 'ctx/square' || labelOf(row).startsWith('input image/range')) continue;
    if (checkUniqueness(withoutRow(r1cs, row), { givenWires }).ok) missed.push(`row ${row}: ${labelOf(row)}`);
    done++;
  }
  t.deepEqual(missed, []);
});
