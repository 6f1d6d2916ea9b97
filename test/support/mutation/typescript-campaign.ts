/** Puts a mutant of a TypeScript file into a copy of the build and asks the tests of its area about it. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Fate, Mutant } from './mutant.js';
import { transpiled, typescriptMutants } from './typescript.js';

interface Area {
  readonly files: readonly string[];
  /** Compiled tests that must notice, the likeliest first. */
  readonly tests: readonly string[];
}

/** The verifier, the receipt, and the code that spends nonces and money. */
const areas: readonly Area[] = [
  {
    files: ['prover/gate.ts', 'prover/verify.ts', 'prover/codec.ts'],
    tests: ['prover/gate', 'prover/codec', 'prover/verify', 'prover/forgery'],
  },
  {
    files: [
      ...readdirSync('service/verifier')
        .filter((name) => name !== 'index.ts')
        .map((name) => `service/verifier/${name}`),
      'service/receipt.ts',
    ],
    tests: [
      'service/receipt-attacks',
      'service/receipt',
      'service/receipt-chain',
      'service/receipt-schema',
      'service/receipt-proofs',
      'service/receipt-golden',
    ],
  },
  {
    files: ['signer', 'quorum', 'policy', 'fees', 'pg-ledger'].map((name) => `service/signer/${name}.ts`),
    tests: ['service/signer-schedules', 'service/signer', 'service/signer-hostile', 'service/signer-ledger'],
  },
];

export const codeMutants = (): Mutant[] =>
  areas.flatMap(({ files }) => files.flatMap((file) => typescriptMutants(file, readFileSync(file, 'utf8'))));

/** A copy of the build whose files may be changed; sources, models and packages are the repository's own. */
export interface Workbench {
  fateOf(mutant: Mutant): Promise<Fate>;
  /** Throws when the tests fail on files that went through the same tools unchanged: then a failure means nothing. */
  requireGreen(): Promise<void>;
  close(): void;
}

const built = (file: string): string => join('dist', file.replace(/\.ts$/, '.js'));

const timeoutMs = 120_000;

export function workbench(): Workbench {
  const folder = mkdtempSync(join(tmpdir(), 'verinfer-mutants-'));
  for (const name of readdirSync('.')) {
    if (name === 'dist' || name === '.git') continue;
    if (name === 'package.json') cpSync(name, join(folder, name));
    else symlinkSync(resolve(name), join(folder, name));
  }
  cpSync('dist', join(folder, 'dist'), { recursive: true });
  const ask = (tests: readonly string[]): Promise<Fate> => {
    const files = tests.map((name) => `dist/test/${name}.test.js`);
    return new Promise((done) => {
      execFile(
        process.execPath,
        ['node_modules/.bin/ava', '--fail-fast', ...files],
        { cwd: folder, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 26 },
        (error) => done(error === null ? 'survived' : error.killed === true ? 'timed out' : 'killed'),
      );
    });
  };
  return {
    async fateOf({ file, text }) {
      const { tests } = areas.find(({ files }) => files.includes(file))!;
      const target = join(folder, built(file));
      const original = readFileSync(target);
      writeFileSync(target, transpiled(text));
      try {
        return await ask(tests);
      } finally {
        writeFileSync(target, original);
      }
    },
    async requireGreen() {
      for (const { files, tests } of areas) {
        for (const file of files) {
          writeFileSync(join(folder, built(file)), transpiled(readFileSync(file, 'utf8')));
        }
        if ((await ask(tests)) !== 'survived')
          throw new Error(`tests of ${files.join(', ')}: must pass without a mutant`);
      }
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
