/** The uniqueness check flags every planted hole, and none of the sound twins. */
import test from 'ava';
import { ModelRefused } from '../../../circuits/errors.js';
import { Builder } from '../../../circuits/r1cs/builder.js';
import { checkUniqueness, requireUnique } from '../../../circuits/r1cs/uniqueness.js';
import { parseR1cs } from '../../support/textual-r1cs.js';
import { DESIGNED, type Planted, PUBLISHED } from './planted.js';

function check({ rows, given }: Planted, form: 'sound' | 'broken'): { ok: boolean; free: string[] } {
  const other = form === 'sound' ? '+' : '-';
  const lines = rows.filter((row) => !row.startsWith(`${other} `)).map((row) => row.replace(/^[+-] /, ''));
  const { r1cs, wireOf } = parseR1cs(lines);
  const wires = given.split(' ').filter((name) => wireOf.has(name));
  const report = checkUniqueness(r1cs, { givenWires: wires.map((name) => wireOf.get(name)!) });
  const nameOf = new Map([...wireOf].map(([name, wire]) => [wire, name]));
  return { ok: report.ok, free: report.undetermined.map((wire) => nameOf.get(wire)!) };
}

for (const planted of PUBLISHED) {
  test(`C29 published bug is flagged, its repair is not: ${planted.title}`, (t) => {
    t.false(check(planted, 'broken').ok, planted.after);
    t.deepEqual(check(planted, 'sound'), { ok: true, free: [] }, planted.after);
  });
}

for (const planted of DESIGNED) {
  test(`C04 hole in a gadget is flagged, the gadget is not: ${planted.title}`, (t) => {
    t.false(check(planted, 'broken').ok, planted.after);
    t.deepEqual(check(planted, 'sound'), { ok: true, free: [] }, planted.after);
  });
}

test('at least forty planted circuits, at least twenty of them published', (t) => {
  t.true(PUBLISHED.length >= 20);
  t.true(PUBLISHED.length + DESIGNED.length >= 40);
});

test('C04 requireUnique refuses a circuit with a hole, and names a wire', (t) => {
  const sound = parseR1cs(['bits b', 'x = b + 2 c', 'bits c']);
  const broken = parseR1cs(['bits b', 'x = b + 2 c']);
  t.true(requireUnique(sound.r1cs, [sound.wireOf.get('x')!]));
  const error = t.throws(() => requireUnique(broken.r1cs, [broken.wireOf.get('x')!]), {
    instanceOf: ModelRefused,
  });
  t.regex(error!.message, /wire \d+/);
});

test('C04 finding-34: the free inverse of an is-zero test is no harmless one where the statement shows it', (t) => {
  const zeroTest = (isPublic: boolean): ReturnType<typeof checkUniqueness> => {
    const circuit = new Builder();
    const x = circuit.existsField('x', 1, () => [0n]);
    const flag = circuit.public('is zero', 1, () => [1n]);
    const inverse = isPublic
      ? circuit.public('inverse', 1, () => [77n])
      : circuit.existsField('inverse', 1, () => [77n]);
    circuit.a.add(x, 1);
    circuit.b.add(inverse, 1);
    circuit.c.constant(1).add(flag, -1);
    circuit.enforce('inverse');
    circuit.a.add(x, 1);
    circuit.b.add(flag, 1);
    circuit.enforce('flag');
    const { r1cs, newWires } = circuit.finish();
    return checkUniqueness(r1cs, { givenWires: [newWires[x]] });
  };
  // For x = 0 every inverse satisfies the rows: as a signal it would be an output that the prover chooses.
  t.deepEqual(zeroTest(true), { ok: false, undetermined: [2], loose: [], freeInverses: [] });
  t.deepEqual(zeroTest(false), { ok: true, undetermined: [], loose: [], freeInverses: [3] });
});
