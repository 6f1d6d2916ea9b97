/** Whole models: the statement holds for honest provers and for nobody else. */
import test from 'ava';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, compile, type CompiledModel } from '../../circuits/index.js';
import { inputCommitment, outputCommitment, packElements } from '../../circuits/public-signals.js';
import type { CompactWitness, R1cs, SparseMatrix } from '../../circuits/r1cs/r1cs.js';
import { r1csDigest } from '../../circuits/r1cs/file.js';
import { checkUniqueness } from '../../circuits/r1cs/uniqueness.js';
import { gadgetCircuit, gadgetInputs } from '../support/gadget-circuit.js';
import { SMALL_GADGETS } from '../support/gadget-cases.js';
import { smallConvnet } from '../support/graphs.js';
import { mutateWires, rowsOfWires, tellLies } from '../support/lie.js';
import { committedModel, modelInputs, randomInputs } from '../support/models.js';
import { random, seedFrom } from '../support/random.js';
import { solutions } from '../support/solutions.js';

const graph = smallConvnet(random(3));
const convnet = compile(graph);
const digits = committedModel('digits8x8');
const request = { ctx: 123456789n, salt: 987654321n };

/** ctx is the prover's to choose and stands only in its square, so −ctx is another honest statement, not a lie. */
function isOtherContext({ label, lie }: { label: string; lie: string }): boolean {
  return label === 'context/ctx' && lie === 'negated';
}

function satisfied(model: CompiledModel, witness: CompactWitness): boolean {
  return check(model.r1cs, witness, { labels: model.labels }).ok;
}

for (const [name, model] of [
  ['convnet', convnet],
  ['digits8x8', digits],
] as const) {
  test(`C24 ${name}: edge and random inputs all prove, and equal the reference`, (t) => {
    const r = random(seedFrom(t.log));
    const edges = [
      (min: number) => min,
      (_: number, max: number) => max,
      () => 0,
      (min: number, max: number) => r.pick([min, max]),
    ];
    const inputs = [
      ...edges.map((pick) => modelInputs(model, pick)),
      ...Array.from({ length: 200 }, () => randomInputs(model, r)),
    ];
    for (const given of inputs) {
      const { witness, outputs, publicSignals } = model.computeWitness({ inputs: given, ...request });
      t.deepEqual(check(model.r1cs, witness, { labels: model.labels }), { ok: true });
      t.deepEqual(outputs, model.reference(given));
      const [output] = model.manifest.outputs;
      t.deepEqual(publicSignals.slice(2), packElements(outputs.get(output.name)!, output.dtype));
      const [input] = model.manifest.inputs;
      const packed = packElements(given.get(input.name)!, input.dtype);
      t.deepEqual(publicSignals.slice(0, 2), [
        request.ctx,
        inputCommitment(packed, model.manifest.inputByteLength, request.salt),
      ]);
    }
  });

  test(`C01 ${name}: every wire of the model changed alone is rejected`, (t) => {
    const r = random(seedFrom(t.log));
    const { witness } = model.computeWitness({ inputs: randomInputs(model, r), ...request });
    const { accepted, tried } = mutateWires(model.r1cs, model.program, witness, r);
    t.log(`${tried} mutants of ${model.r1cs.wireCount} wires`);
    t.true(tried > 5 * (model.r1cs.wireCount - 1));
    t.deepEqual(
      accepted.filter((lie) => !isOtherContext(lie)),
      [],
    );
  });

  test(`C02 ${name}: a hint lied about, the rest recomputed, changes no statement`, (t) => {
    const r = random(seedFrom(t.log));
    const given = { tensors: randomInputs(model, r), ...request };
    const keep = (step: { label: string; count: number }) =>
      !/poseidon|signal|ctx|salt/.test(step.label) && r.below(step.count) < 8;
    const { changed, tried } = tellLies(model.r1cs, model.program, given, r, keep);
    t.log(`${tried} lies`);
    t.true(tried > 100);
    t.deepEqual(
      changed.filter(({ label }) => !/value$/.test(label)),
      [],
    );
  });

  test(`C04 ${name}: the constraints alone determine every wire`, (t) => {
    const { undetermined, ok } = checkUniqueness(model.r1cs, { givenWires: model.givenWires });
    t.deepEqual(undetermined, []);
    t.true(ok);
  });

  test(`C05 ${name}: every public signal stands in a row, ctx in a nonlinear one`, (t) => {
    const { r1cs } = model;
    const rows = rowsOfWires(r1cs);
    for (let wire = 1; wire <= r1cs.publicCount; wire++) t.true(rows[wire].length > 0, `public wire ${wire}`);
    const ctxRow = rows[1][0];
    const wiresOf = ({ rowStarts, wires }: SparseMatrix) =>
      Array.from(wires.subarray(rowStarts[ctxRow], rowStarts[ctxRow + 1]));
    t.deepEqual([wiresOf(r1cs.a), wiresOf(r1cs.b)], [[1], [1]]);
    t.is(wiresOf(r1cs.c).length, 1);
  });

  test(`C06 ${name}: the public columns are linearly independent`, (t) => {
    const { r1cs } = model;
    const rows = rowsOfWires(r1cs);
    for (let wire = 1; wire <= r1cs.publicCount; wire++) {
      const own = rows[wire].some((row) => {
        for (let other = 1; other <= r1cs.publicCount; other++)
          if (other !== wire && rows[other].includes(row)) return false;
        return true;
      });
      t.true(own, `public wire ${wire} shares every row with another public wire`);
    }
  });

  test(`C08 ${name}: an input element outside its dtype satisfies nothing`, (t) => {
    const r = random(seedFrom(t.log));
    const [{ name: input, dtype }] = model.manifest.inputs;
    t.is(dtype, 'int8');
    const honest = randomInputs(model, r).get(input)!;
    const step = model.program.steps.findIndex(({ label }) => label.endsWith(`${input}/value`));
    for (let element = 0; element < honest.length; element++) {
      for (const value of [
        -129n,
        128n,
        255n,
        256n,
        -(1n << 31n),
        1n << 40n,
        -1n - 128n + (1n << 200n),
        0n - 2n ** 253n,
      ]) {
        const assignment = model.program.assign(
          { tensors: new Map([[input, honest]]), ...request },
          (at, values, index) => {
            if (index === step) values.set(at.first + element, value);
          },
        );
        t.false(satisfied(model, model.program.compact(assignment)), `element ${element} = ${value}`);
      }
    }
  });
}

test('C03 every row of every small gadget is needed', (t) => {
  const modulus = 1009n;
  for (const gadget of SMALL_GADGETS) {
    // One-hots of few members: Σ h = 1 and the edges already make the last member a bit; its row is kept all the same.
    if (/^(one-hot|staircase)/.test(gadget.name)) continue;
    const { r1cs, inputCount, outputCount, cost } = gadgetCircuit(gadget, modulus);
    const gadgetRows = r1cs.constraintCount - outputCount;
    t.is(gadgetRows, cost.rows);
    for (let row = 0; row < gadgetRows; row++) {
      const weaker = withoutRow(r1cs, row);
      t.true(
        acceptsMore(weaker, gadget, modulus, inputCount, outputCount),
        `${gadget.name}: row ${row} could be dropped`,
      );
    }
  }
});

/** Some input, inside or outside the range, now reaches another output than the reference's. */
function acceptsMore(
  r1cs: R1cs,
  gadget: (typeof SMALL_GADGETS)[number],
  modulus: bigint,
  inputCount: number,
  outputCount: number,
): boolean {
  const { lo, hi } = gadget.inputs[0];
  const p = Number(modulus);
  for (let x = lo - 20; x <= hi + 20; x++) {
    const inputs = [x, ...gadget.inputs.slice(1).map((other) => Math.trunc((other.lo + other.hi) / 2))];
    const expected = gadget
      .reference(inputs)
      ?.map((y) => ((y % p) + p) % p)
      .join();
    const fixed = new Map(inputs.map((value, k) => [k + 1, value]));
    let seen = 0;
    for (const values of solutions(r1cs, modulus, fixed)) {
      const got = Array.from(values.subarray(1 + inputCount, 1 + inputCount + outputCount)).join();
      if (got !== expected) return true;
      if (++seen > 2000) break;
    }
  }
  return false;
}

function withoutRow(r1cs: R1cs, row: number): R1cs {
  const cut = (matrix: SparseMatrix): SparseMatrix => {
    const [from, to] = [matrix.rowStarts[row], matrix.rowStarts[row + 1]];
    const keep = (array: Uint32Array) =>
      Uint32Array.from([...array.subarray(0, from), ...array.subarray(to)]);
    const rowStarts = Uint32Array.from(
      [...matrix.rowStarts.subarray(0, row + 1), ...matrix.rowStarts.subarray(row + 2)].map((start, i) =>
        i > row ? start - (to - from) : start,
      ),
    );
    return { rowStarts, wires: keep(matrix.wires), coefficientIds: keep(matrix.coefficientIds) };
  };
  return {
    ...r1cs,
    constraintCount: r1cs.constraintCount - 1,
    a: cut(r1cs.a),
    b: cut(r1cs.b),
    c: cut(r1cs.c),
  };
}

test('C03 rows dropped from a whole model are noticed by the uniqueness check', (t) => {
  const r = random(seedFrom(t.log));
  let noticed = 0;
  const total = 40;
  for (let k = 0; k < total; k++) {
    const row = r.below(convnet.r1cs.constraintCount);
    const { ok } = checkUniqueness(withoutRow(convnet.r1cs, row), { givenWires: convnet.givenWires });
    // A range row of an input leaves every wire determined: what it lets through is an input outside its dtype (C08).
    if (!ok || /value|range/.test(labelAt(convnet, row))) noticed++;
  }
  t.is(noticed, total);
});

function labelAt(model: CompiledModel, row: number): string {
  return [...model.labels].reverse().find(({ first }) => first <= row)!.label;
}

test('C11 a tie has one sign: max(x, x) has exactly one witness', (t) => {
  const max = SMALL_GADGETS.find(({ name }) => name === 'max')!;
  const modulus = 1031n;
  const { r1cs } = gadgetCircuit(max, modulus);
  for (let x = -4; x <= 6; x++) {
    const signs = new Set<number>();
    for (const values of solutions(
      r1cs,
      modulus,
      new Map([
        [1, x],
        [2, x],
      ]),
    ))
      signs.add(values[4]);
    t.is(signs.size, 1, `x = ${x}`);
  }
});

test('C17 a comparison of operands outside their bounds is unsatisfiable', (t) => {
  const r = random(seedFrom(t.log));
  const max = SMALL_GADGETS.find(({ name }) => name === 'max')!;
  const { r1cs, program } = gadgetCircuit(max);
  for (let k = 0; k < 10_000; k++) {
    const x = 7 + r.below(2 ** 20);
    const y = -6 - r.below(2 ** 20);
    const inputs = r.below(2) === 0 ? [x, y] : [y, x];
    const witness = program.compact(program.assign(gadgetInputs(inputs)));
    t.false(check(r1cs, witness).ok);
  }
  // Over a small prime, no assignment of the other wires satisfies it either.
  const modulus = 1031n;
  const small = gadgetCircuit(max, modulus).r1cs;
  const outside = (x: number, y: number) =>
    new Map([
      [1, x],
      [2, y],
    ]);
  for (let k = 0; k < 12; k++) {
    const [x, y] = [7 + r.below(200), -6 - r.below(200)];
    t.true(solutions(small, modulus, outside(x, y)).next().done);
    t.true(solutions(small, modulus, outside(y, x)).next().done);
  }
  t.false(solutions(small, modulus, outside(6, -4)).next().done);
});

test('C19 a witness computed with another weight is rejected, and the circuit differs', (t) => {
  const r = random(seedFrom(t.log));
  const inputs = Array.from({ length: 12 }, () => randomInputs(convnet, r));
  const weights = [...graph.constants].filter(
    ([, { dtype, shape }]) => dtype === 'int8' && shape.length === 4,
  );
  const digest = r1csDigest(convnet.r1cs);
  let rejected = 0;
  for (const [name, constant] of weights) {
    for (let i = 0; i < constant.data.length; i++) {
      const data = Int8Array.from(constant.data as Int8Array);
      data[i] = data[i] === 127 ? 126 : data[i] + 1;
      const other = compile({
        ...graph,
        constants: new Map(graph.constants).set(name, { ...constant, data }),
      });
      t.not(r1csDigest(other.r1cs), digest);
      if (other.r1cs.wireCount !== convnet.r1cs.wireCount) continue;
      for (const given of inputs) {
        const { witness, outputs } = other.computeWitness({ inputs: given, ...request });
        t.true(satisfied(other, witness));
        // A weight that meets only zeros leaves the very same witness: then there is no lie to reject.
        if (satisfied(convnet, witness)) t.deepEqual(outputs, convnet.reference(given), `${name}[${i}]`);
        else rejected++;
      }
    }
  }
  t.true(rejected > 100);
});

test('C26 the same graph compiles to the same bytes in any process, locale, time zone and folder', (t) => {
  const script = `
    const { committedModel } = await import('${process.cwd()}/dist/test/support/models.js');
    const { r1csDigest } = await import('${process.cwd()}/dist/circuits/r1cs/file.js');
    console.log(r1csDigest(committedModel('digits8x8').r1cs));`;
  const digest = r1csDigest(digits.r1cs);
  for (const env of [
    { LANG: 'C', TZ: 'UTC' },
    { LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8', TZ: 'Pacific/Kiritimati' },
  ]) {
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    t.is(out.trim(), digest);
  }
  const shuffled = { ...graph, constants: new Map([...graph.constants].reverse()) };
  t.is(r1csDigest(compile(shuffled).r1cs), r1csDigest(convnet.r1cs));
});

test('output commitment, public input: the signals are what public-signals.ts says', (t) => {
  const r = random(seedFrom(t.log));
  for (const options of [{ outputMode: 'commitment' }, { inputMode: 'public' }] as const) {
    const model = compile(graph, options);
    const inputs = randomInputs(model, r);
    const { witness, publicSignals, outputs } = model.computeWitness({ inputs, ...request });
    t.true(satisfied(model, witness));
    const image = packElements(inputs.get('image')!, 'int8');
    const [output] = outputs.values();
    const scores = packElements(output, 'int8');
    t.deepEqual(publicSignals, [
      request.ctx,
      ...('inputMode' in options ? image : [inputCommitment(image, 36, request.salt)]),
      ...('outputMode' in options ? [outputCommitment(scores, output.length, request.salt)] : scores),
    ]);
    t.is(model.manifest.publicSignalCount, publicSignals.length);
    const { accepted } = mutateWires(model.r1cs, model.program, witness, r);
    t.deepEqual(
      accepted.filter((lie) => !isOtherContext(lie)),
      [],
    );
  }
});

test('P13 nothing in circuits or prover draws from Math.random', (t) => {
  for (const folder of ['circuits', 'prover']) {
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (/\.(ts|cc|hpp)$/.test(file))
        t.false(/Math\.random|\brand\(\)/.test(readFileSync(join(folder, file), 'utf8')), file);
    }
  }
});
