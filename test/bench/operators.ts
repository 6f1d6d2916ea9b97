/**
 * Random single-operator graphs: reference = circuit = ONNX Runtime, witness satisfied, wires determined.
 * `node dist/test/bench/operators.js [cases an operator] [operator]`; VERINFER_SEED replays.
 */
import { disagreement } from '../support/operator-agreement.js';
import { OPERATOR_CASES } from '../support/operator-cases.js';
import { random, seedFrom } from '../support/random.js';

const cases = Number(process.argv[2] ?? 200);
const only = process.argv[3];
const seed = seedFrom(console.log);
let total = 0;
const failures: string[] = [];
for (const [name, draw] of Object.entries(OPERATOR_CASES)) {
  if (only !== undefined && !name.endsWith(`:${only}`)) continue;
  const from = performance.now();
  let wrong = 0;
  for (let k = 0; k < cases; k++, total++) {
    const r = random((seed + k) >>> 0);
    const found = await disagreement(draw(r), r).catch((error: unknown) => String(error));
    if (found === undefined) continue;
    wrong++;
    failures.push(`${name} seed ${(seed + k) >>> 0}: ${found}`);
  }
  console.log(
    `${name.padEnd(28)} ${cases} cases  ${wrong} wrong  ${Math.round(performance.now() - from)} ms`,
  );
}
for (const failure of failures.slice(0, 50)) console.log(failure);
console.log(JSON.stringify({ cases: total, wrong: failures.length, seed }));
process.exitCode = failures.length === 0 ? 0 : 1;
