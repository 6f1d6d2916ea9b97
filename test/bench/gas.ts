/** `make bench-gas`: the table of docs/contracts.md, and one line of JSON. With `write`, both snapshots are renewed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { gasBars, gasTable } from '../support/gas-table.js';
import { measureGas, type GasFigures } from '../support/gas.js';

const figures = await measureGas();
const table = gasTable(figures);
process.stdout.write(`${table}\n`);
for (const [key, bar] of Object.entries(gasBars)) {
  if (figures[key as keyof GasFigures] > bar) process.exitCode = 1;
}
if (process.argv[2] === 'write') {
  writeFileSync('test/verifier-contracts/gas.json', `${JSON.stringify(figures, null, 2)}\n`);
  const page = 'docs/contracts.md';
  const text = readFileSync(page, 'utf8');
  writeFileSync(page, text.replace(/\| what \| gas \| bar \|\n(\|.*\n?)+/, `${table}\n`));
}
process.stdout.write(`${JSON.stringify(figures)}\n`);
