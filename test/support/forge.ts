/** forge as a test runner: runs the .t.sol files once and says how each function ended. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface ForgeOutcome {
  readonly passed: boolean;
  /** The reason and counterexample of a failure. */
  readonly reason: string;
  readonly runs: number;
  readonly calls: number;
}

interface ForgeJson {
  [suite: string]: {
    test_results: Record<
      string,
      { status: string; reason: string | null; counterexample: unknown; kind: ForgeKind }
    >;
  };
}

interface ForgeKind {
  readonly Fuzz?: { readonly runs: number };
  readonly Invariant?: { readonly runs: number; readonly calls: number };
}

export interface ForgeOptions {
  /** Artifacts to deploy instead of verifier-contracts/out; inside verifier-contracts/cache. */
  readonly artifacts?: string;
  readonly timeoutMs?: number;
}

/** It ran past `timeoutMs` and was ended. */
export class ForgeTimeout extends Error {}

/** Outcomes by function name, without arguments. */
export async function runForge(
  profile: 'default' | 'slow' | 'mutation',
  args: readonly string[] = [],
  { artifacts, timeoutMs }: ForgeOptions = {},
): Promise<Map<string, ForgeOutcome>> {
  const binary = join('node_modules', '@foundry-rs', 'forge-linux-amd64', 'bin', 'forge');
  if (!existsSync(binary)) throw new Error(`forge: ${binary} must be installed, got nothing`);
  const env = {
    ...process.env,
    FOUNDRY_CONFIG: 'verifier-contracts/foundry.toml',
    FOUNDRY_PROFILE: profile,
    FOUNDRY_DISABLE_NIGHTLY_WARNING: '1',
    ...(artifacts === undefined ? {} : { VERINFER_ARTIFACTS: artifacts }),
  };
  const text = await new Promise<string>((resolve, reject) => {
    const options = { env, maxBuffer: 1 << 28, timeout: timeoutMs ?? 0, killSignal: 'SIGKILL' as const };
    execFile(binary, ['test', '--json', ...args], options, (error, stdout, stderr) => {
      // A failing test ends forge with 1 and a report; anything else has no report.
      if (stdout.trimStart().startsWith('{')) resolve(stdout);
      else if (error?.killed === true) reject(new ForgeTimeout(`forge: ended after ${timeoutMs} ms`));
      else reject(new Error(`forge: ${error?.message ?? 'no report'}\n${stderr}\n${stdout}`));
    });
  });
  const outcomes = new Map<string, ForgeOutcome>();
  for (const { test_results } of Object.values(JSON.parse(text) as ForgeJson)) {
    for (const [signature, { status, reason, counterexample, kind }] of Object.entries(test_results)) {
      outcomes.set(signature.replace(/\(.*/, ''), {
        passed: status === 'Success',
        reason: `${reason ?? ''} ${JSON.stringify(counterexample ?? '')}`,
        runs: kind.Fuzz?.runs ?? kind.Invariant?.runs ?? 1,
        calls: kind.Invariant?.calls ?? 0,
      });
    }
  }
  return outcomes;
}
