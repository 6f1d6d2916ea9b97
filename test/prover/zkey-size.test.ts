import test from 'ava';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provingKeyBytes } from '../../prover/files/zkey-size.js';
import { setupDevelopment } from '../../prover/index.js';
import { bitCircuit } from '../support/bit-circuit.js';

test('the size of a proving key is known before it is made', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'verinfer-size-'));
  try {
    for (const [rows, publicCount] of [
      [60, 1],
      [200, 3],
    ] as const) {
      const { r1cs } = bitCircuit(rows, publicCount);
      const path = join(folder, `${rows}.zkey`);
      await setupDevelopment(r1cs, path, {});
      t.is((await stat(path)).size, provingKeyBytes(r1cs));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
