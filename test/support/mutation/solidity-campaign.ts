/** Compiles a mutant of a contract and asks the forge tests about it. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compileContracts, writeArtifacts } from '../../../verifier-contracts/build.js';
import { ForgeTimeout, runForge } from '../forge.js';
import type { Fate, Mutant } from './mutant.js';
import { solidityMutants } from './solidity.js';

const root = 'verifier-contracts';

interface Source {
  /** The contracts whose bytes contain it. */
  readonly contracts: readonly string[];
  /** The forge suites that are likeliest to notice; the others are asked when these do not. */
  readonly suites: string;
}

const sources: Readonly<Record<string, Source>> = {
  'Groth16Verifier.sol': { contracts: ['Groth16Verifier'], suites: 'Verifier' },
  'VerifyingKeyCheck.sol': { contracts: ['ModelRegistry'], suites: 'Registry|Records' },
  'ModelRegistry.sol': { contracts: ['ModelRegistry'], suites: 'Registry|Records' },
  'PublicSignals.sol': {
    contracts: ['ModelRegistry', 'Settlement', 'InferenceMarket'],
    suites: 'Registry|Records|Settlement',
  },
  'ProofGate.sol': { contracts: ['Settlement', 'InferenceMarket'], suites: 'Records|Settlement|Market' },
  'Settlement.sol': { contracts: ['Settlement'], suites: 'Records|Settlement' },
  'InferenceMarket.sol': { contracts: ['InferenceMarket'], suites: 'Market' },
};

export const contractMutants = (): Mutant[] =>
  Object.keys(sources).flatMap((file) => solidityMutants(file, readFileSync(join(root, file), 'utf8')));

const timeoutMs = 90_000;

export async function fateOfContract({ file, text }: Mutant): Promise<Fate> {
  const { contracts: only, suites } = sources[file]!;
  let compiled;
  try {
    compiled = compileContracts(root, { sources: { [file]: text }, only });
  } catch {
    return 'does not compile';
  }
  const folder = join(root, 'cache', `mutant-${process.pid}`);
  try {
    cpSync(join(root, 'out'), folder, { recursive: true, filter: (path) => !path.includes('/out/forge') });
    writeArtifacts(folder, compiled);
    const rest = `GasSweep|${suites}`;
    for (const chosen of [
      ['--match-contract', suites],
      ['--no-match-contract', rest],
    ]) {
      const outcomes = await runForge('mutation', ['--fail-fast', ...chosen], {
        artifacts: folder,
        timeoutMs,
      });
      if (![...outcomes.values()].every(({ passed }) => passed)) return 'killed';
    }
    return 'survived';
  } catch (error) {
    if (error instanceof ForgeTimeout) return 'timed out';
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
