import type { Random } from './random.js';

/** Values a JSON body can hold where something else was meant. */
const strangers: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1e308, 0.5, '', '0', '1', '-1', '0x1', 'null', '\u202e', '9'.repeat(400)],
  ...[[], {}, [[]], [null], { length: 3 }, { 0: '1', 1: '2', 2: '1' }, { __proto__: null }, [[[[[[]]]]]]],
];

/** A copy of a JSON value with one to three nodes dropped, doubled, swapped or replaced: structure-aware fuzz. */
export function structure(random: Random, value: unknown): unknown {
  let result: unknown = JSON.parse(JSON.stringify(value));
  for (let i = 1 + random.below(3); i > 0; i--) result = mutateOnce(random, result);
  return result;
}

function mutateOnce(random: Random, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || random.below(8) === 0) return random.pick(strangers);
  const keys = Object.keys(value);
  if (keys.length === 0) return random.pick(strangers);
  const key = random.pick(keys);
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown> & unknown[];
  const change = random.below(5);
  if (change === 0) {
    if (Array.isArray(copy)) copy.splice(Number(key), 1);
    else delete copy[key];
  } else if (change === 1) {
    if (Array.isArray(copy)) copy.push(copy[Number(key)]);
    else copy[`${key}x`] = copy[key];
  } else if (change === 2) {
    const other = random.pick(keys);
    [copy[key], copy[other]] = [copy[other], copy[key]];
  } else {
    copy[key] = mutateOnce(random, copy[key]);
  }
  return copy;
}
