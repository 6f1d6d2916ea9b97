/**
 * Runs a tier of tests (`fast` or `slow`): ava, then forge where it is installed, and closes with the plain
 * line `N passed, N failed, N skipped` taken from the real counts. Exit code 1 when anything failed or when
 * nothing ran.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface Outcome {
  readonly exitCode: number;
  readonly output: string;
}

/** Runs a command, shows its output as it comes, and keeps it for counting. */
function run(command: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' },
    });
    let output = '';
    const keep = (stream: NodeJS.WriteStream) => (chunk: Buffer) => {
      output += chunk.toString();
      stream.write(chunk);
    };
    child.stdout.on('data', keep(process.stdout));
    child.stderr.on('data', keep(process.stderr));
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode: exitCode ?? 1, output }));
  });
}

const sum = (text: string, pattern: RegExp): number =>
  [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);

/** ava's closing lines; an uncaught exception or a file without tests counts as a failure. */
export function countAva(output: string): Counts {
  const closing = output.slice(output.lastIndexOf('\n  ─'));
  return {
    passed: sum(closing, /^\s*(\d+) tests? passed/gm),
    failed: sum(
      closing,
      /^\s*(\d+) (?:tests? failed|uncaught exceptions?|unhandled rejections?|hooks? failed)/gm,
    ),
    skipped: sum(closing, /^\s*(\d+) tests? skipped/gm),
  };
}

/** forge's closing line: `Ran 3 test suites in 1s: 40 tests passed, 0 failed, 0 skipped (40 total tests)`. */
export function countForge(output: string): Counts {
  const match = /Ran \d+ test suites? in .*: (\d+) tests passed, (\d+) failed, (\d+) skipped/.exec(output);
  if (match === null) return { passed: 0, failed: 1, skipped: 0 };
  return { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3]) };
}

async function main(): Promise<void> {
  const tier = process.argv[2] === 'slow' ? 'slow' : 'fast';
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const add = (counts: Counts, exitCode: number): void => {
    total.passed += counts.passed;
    total.skipped += counts.skipped;
    total.failed += exitCode !== 0 && counts.failed === 0 ? 1 : counts.failed;
  };
  const ava = await run('node_modules/.bin/ava', tier === 'slow' ? ['--config', '.ava-slow.config.mjs'] : []);
  add(countAva(ava.output), ava.exitCode);

  if (existsSync('verifier-contracts/forge.sh')) {
    const forge = await run('bash', ['verifier-contracts/forge.sh', tier]);
    if (forge.output.includes('forge: not run')) total.skipped += 1;
    else add(countForge(forge.output), forge.exitCode);
  }

  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
}

if (process.argv[1]?.endsWith('run.js')) await main();
