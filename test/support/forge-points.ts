/** Writes the G2 table of test/verifier-contracts/forge/Toxic.sol: the EVM has no G2 multiplication. */
import { g2 } from './simulate.js';

for (let k = 1n; k <= 8n; k++) {
  const [x, y] = g2(k);
  process.stdout.write(
    `        if (k == ${k}) return [\n${[x[1], x[0], y[1], y[0]].map((c) => `            ${c}`).join(',\n')}\n        ];\n`,
  );
}
