/** ABI and bytecode from verifier-contracts/out, as `make contracts` wrote them. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Interface, type InterfaceAbi } from 'ethers';

export interface Artifact {
  readonly contract: string;
  readonly abi: InterfaceAbi;
  readonly bytecode: string;
  readonly runtimeBytecode: string;
}

export class ContractsNotBuilt extends Error {
  constructor(path: string) {
    super(`contracts: ${path} must exist, got nothing; run \`make contracts\``);
    this.name = 'ContractsNotBuilt';
  }
}

/** dist/service/chain → the folder that holds dist. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const loaded = new Map<string, Artifact>();

export function artifact(contract: string): Artifact {
  const known = loaded.get(contract);
  if (known !== undefined) return known;
  const path = join(root, 'verifier-contracts', 'out', `${contract}.json`);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new ContractsNotBuilt(`verifier-contracts/out/${contract}.json`);
  }
  const value = JSON.parse(text) as Artifact;
  loaded.set(contract, value);
  return value;
}

/** Every error of every contract and interface, so that a revert raised three calls deep still has its name. */
export function allErrors(): Interface {
  errors ??= new Interface(
    ['IGroth16Verifier', 'IModelRegistry', 'ISettlement', 'IInferenceMarket', 'ProofGate']
      .flatMap((name) => artifact(name).abi as { type: string }[])
      .filter((entry) => entry.type === 'error') as InterfaceAbi,
  );
  return errors;
}
let errors: Interface | undefined;
