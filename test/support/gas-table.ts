/** The gas figures as docs/contracts.md shows them, and the bars that they must meet. */
import type { GasFigures } from './gas.js';

export const gasBars: Partial<Record<keyof GasFigures, number>> = {
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
  fulfilOpen: 'market: fulfil an open request, all in',
  fulfilBatch8: 'market: fulfilBatch of 8, all in, a proof',
  withdraw: 'market: withdraw, all in',
};

export function gasTable(figures: GasFigures): string {
  const rows = (Object.keys(names) as (keyof GasFigures)[]).map((key) => {
    const bar = gasBars[key];
    return `| ${names[key]} | ${figures[key]} | ${bar === undefined ? '' : `≤ ${bar}`} |`;
  });
  return ['| what | gas | bar |', '| --- | ---: | ---: |', ...rows].join('\n');
}
