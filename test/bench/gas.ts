/** `make bench-gas`: the table of docs/gas.md, and one line of JSON. */
import { measureGas, type GasFigures } from '../support/gas.js';

const bars: Partial<Record<keyof GasFigures, number>> = {
  verify: 208_000,
  settle: 260_000,
  batch8: 92_000,
  batch64: 70_000,
  invalid: 350_000,
  register: 1_500_000,
};

const names: Record<keyof GasFigures, string> = {
  verify: 'verify, 3 signals: execution alone',
  settle: 'settle, all in, warm mark slot',
  settleCold: 'settle, all in, new mark slot',
  batch8: 'settleBatch of 8, all in, a proof',
  batch64: 'settleBatch of 64, all in, a proof',
  invalid: 'invalid proof, the most at any gas limit',
  register: 'registerModel, 3 signals',
  request: 'market: request, all in',
  lock: 'market: lock, all in',
  fulfil: 'market: fulfil a locked request, all in',
};

const figures = await measureGas();
const keys = Object.keys(names) as (keyof GasFigures)[];
process.stdout.write('| what | gas | bar |\n| --- | ---: | ---: |\n');
for (const key of keys) {
  const bar = bars[key];
  process.stdout.write(`| ${names[key]} | ${figures[key]} | ${bar === undefined ? '' : `≤ ${bar}`} |\n`);
  if (bar !== undefined && figures[key] > bar) process.exitCode = 1;
}
process.stdout.write(`${JSON.stringify(figures)}\n`);
