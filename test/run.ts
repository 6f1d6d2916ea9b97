/**
 * Runs a tier of tests (`fast` or `slow`) with ava, which runs forge and the browser too, and closes with the
 * plain line `N passed, N failed, N skipped` taken from the real counts. Exit code 1 when anything failed or
 * when nothing ran.
 */
import { spawn } from 'node:child_process';

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Runs ava, shows its output as it comes, and keeps it for counting. */
function runAva(args: readonly string[]): Promise<{ exitCode: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('node_modules/.bin/ava', args, {
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

/** One line a test; a crash, a failed hook or a file without tests has no line of its own and counts as one failure. */
export function countTests(output: string, exitCode: number): Counts {
  // Behind the first rule come the failures in full, with lines of their own kind.
  const report = output.split('\n  ─\n')[0]!;
  const lines = (pattern: RegExp): number => report.match(pattern)?.length ?? 0;
  const failed = lines(/^ {2}✘ (?!No tests found)/gm);
  return {
    passed: lines(/^ {2}✔ /gm),
    failed: exitCode !== 0 && failed === 0 ? 1 : failed,
    skipped: lines(/^ {2}- /gm),
  };
}

if (process.argv[1]?.endsWith('run.js')) {
  const { output, exitCode } = await runAva(
    process.argv[2] === 'slow' ? ['--config', '.ava-slow.config.mjs'] : [],
  );
  const { passed, failed, skipped } = countTests(output, exitCode);
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
