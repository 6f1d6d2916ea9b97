import type { Command } from 'commander';
import { deriveKey } from '../../prover/derive.js';
import { derivedPathOf } from '../../prover/files/derived.js';
import { progress } from './ptau.js';

/** A development setup writes the file itself; a ceremony's key gets it here, from public points alone. */
export function register(program: Command): void {
  program
    .command('derive <zkey>')
    .description('write points beside a proving key that spare its prover two of six transforms; once a key')
    .option('--out <file>', 'default: the key with .derived after it, where the prover looks')
    .action(async (zkey: string, { out = derivedPathOf(zkey) }: { out?: string }) => {
      const started = performance.now();
      await deriveKey(zkey, out, progress());
      process.stdout.write(`${out}\nderived in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
    });
}
