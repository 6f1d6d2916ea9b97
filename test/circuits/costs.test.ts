/** Every cost is pinned: a better number is committed with the change that earned it (UPDATE_COSTS=1 rewrites). */
import test from 'ava';
import { readFileSync, writeFileSync } from 'node:fs';
import { provingKeyBytes } from '../../prover/files/zkey-size.js';
import { gadgetCircuit } from '../support/gadget-circuit.js';
import { SMALL_GADGETS, WIDE_GADGETS } from '../support/gadget-cases.js';
import { committedModel } from '../support/models.js';

const FILE = 'test/costs.csv';

function measured(): string[] {
  const lines = ['subject,rows,wires,nonzeros,elements,rows per element'];
  for (const gadget of [...SMALL_GADGETS, ...WIDE_GADGETS]) {
    const { cost, outputCount } = gadgetCircuit(gadget);
    lines.push(
      `gadget ${gadget.name.replaceAll(',', ';')},${cost.rows},${cost.wires},,${outputCount},${round(cost.rows / outputCount)}`,
    );
  }
  for (const name of ['digits8x8', 'lenet5'] as const) {
    const { r1cs, layers } = committedModel(name);
    for (const layer of layers) {
      if (layer.rows === 0) continue;
      const { rows, wires, nonzeros, elements } = layer;
      lines.push(
        `${name} ${layer.name},${rows},${wires},${nonzeros},${elements || ''},${elements ? round(rows / elements) : ''}`,
      );
    }
    const nonzeros = r1cs.a.wires.length + r1cs.b.wires.length + r1cs.c.wires.length;
    lines.push(`${name} total,${r1cs.constraintCount},${r1cs.wireCount},${nonzeros},,`);
    lines.push(`${name} proving key bytes,${provingKeyBytes(r1cs)},,,,`);
  }
  return lines;
}

function round(value: number): string {
  return value.toFixed(2);
}

/** Lines this test owns. */
const isOurs = (line: string) => /^(subject|gadget|digits8x8|lenet5) ?/.test(line);

test('rows, wires and nonzeros are those of test/costs.csv', (t) => {
  const lines = measured();
  if (process.env.UPDATE_COSTS === '1') {
    const others = readFileSync(FILE, { encoding: 'utf8', flag: 'a+' })
      .split('\n')
      .filter((line) => line !== '' && !isOurs(line));
    writeFileSync(FILE, [...lines, ...others, ''].join('\n'));
  }
  const pinned = readFileSync(FILE, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && isOurs(line));
  t.deepEqual(lines, pinned);
});

test('LeNet fits 2^17 rows, and every int8 ReLU activation takes at most 24', (t) => {
  const { r1cs, layers } = committedModel('lenet5');
  t.true(r1cs.constraintCount <= 2 ** 17);
  const roundings = layers.filter(({ name }) => name.endsWith(': rounding'));
  t.true(roundings.length >= 4);
  for (const { name, rows, elements } of roundings) t.true(rows / elements <= 24, name);
});
