/** Compiles a mutant of a contract and asks the forge tests about it. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compileContracts, writeArtifacts } from '../../../verifier-contracts/build.js';
import { runForge } from '../forge.js';
import type { Mutant } from './mutant.js';
import { solidityMutants } from './solidity.js';

const root = 'verifier-contracts';

/** Source → the contracts whose bytes contain it. */
const containing: Readonly<Record<string, readonly string[]>> = {
  'Groth16Verifier.sol': ['Groth16Verifier'],
  'VerifyingKeyCheck.sol': ['ModelRegistry'],
  'ModelRegistry.sol': ['ModelRegistry'],
  'PublicSignals.sol': ['ModelRegistry', 'Settlement', 'InferenceMarket'],
  'ProofGate.sol': ['Settlement', 'InferenceMarket'],
  'Settlement.sol': ['Settlement'],
  'InferenceMarket.sol': ['InferenceMarket'],
};

export const contractMutants = (): Mutant[] =>
  Object.keys(containing).flatMap((file) => solidityMutants(file, readFileSync(join(root, file), 'utf8')));

export type Fate = 'killed' | 'survived' | 'does not compile';

/** A mutant that never ends is noticed, too. */
const timeoutMs = 90_000;

export async function fateOfContract({ file, text }: Mutant): Promise<Fate> {
  const only = containing[file]!;
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
    const outcomes = await runForge('mutation', ['--fail-fast', '--no-match-contract', 'GasSweep'], {
      artifacts: folder,
      timeoutMs,
    });
    return [...outcomes.values()].every(({ passed }) => passed) ? 'survived' : 'killed';
  } catch (error) {
    // forge was ended by the timeout, without a report.
    if (/no report|Command failed/.test((error as Error).message)) return 'killed';
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
