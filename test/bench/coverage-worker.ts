/** One process that judges items one after the other; the driver kills it when an item takes too long. */
import { createInterface } from 'node:readline';
import { isQuantized, readIndex } from './coverage-index.js';
import { runItem } from './coverage-item.js';

const [root] = process.argv.slice(2) as [string];
const items = new Map(readIndex(root).map((item) => [item.id, item]));
for await (const id of createInterface({ input: process.stdin })) {
  const item = items.get(id)!;
  const result = await runItem(root, item, !isQuantized(item));
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
