/** Where the contracts of one chain lie, and how they get there. */
import { Contract, ContractFactory, type Provider, type Signer, keccak256, getCreateAddress } from 'ethers';
import { artifact } from './artifacts.js';
import { ChainMismatch } from './errors.js';

export interface Deployment {
  readonly chainId: number;
  readonly verifier: string;
  readonly registry: string;
  readonly settlement: string;
  readonly market: string;
  /** The block of the first deployment: nothing of ours is in the chain before it. */
  readonly blockNumber: number;
}

/** Four transactions of one account; addresses follow from its nonce, so all four are sent at once. */
export async function deployAll(signer: Signer): Promise<Deployment> {
  const provider = signer.provider!;
  const from = await signer.getAddress();
  const chainId = Number((await provider.getNetwork()).chainId);
  const nonce = await provider.getTransactionCount(from, 'pending');
  const [verifier, registry, settlement, market] = [0, 1, 2, 3].map((i) =>
    getCreateAddress({ from, nonce: nonce + i }),
  ) as [string, string, string, string];
  const plan: [string, unknown[]][] = [
    ['Groth16Verifier', []],
    ['ModelRegistry', [verifier]],
    ['Settlement', [registry]],
    ['InferenceMarket', [registry]],
  ];
  let blockNumber = 0;
  for (const [i, [name, args]] of plan.entries()) {
    const { abi, bytecode } = artifact(name);
    const transaction = await new ContractFactory(abi, bytecode).getDeployTransaction(...args);
    const sent = await signer.sendTransaction({ ...transaction, nonce: nonce + i });
    const receipt = (await sent.wait())!;
    if (i === 0) blockNumber = receipt.blockNumber;
  }
  const deployment = { chainId, verifier, registry, settlement, market, blockNumber };
  await assertDeployed(provider, deployment);
  return deployment;
}

/**
 * Chain id, runtime code of the verifier, and the wiring: registry, settlement and market must ask this verifier.
 * The verifier has no immutables, so its code is compared byte for byte; the others are compared with their
 * immutables masked out.
 */
export async function assertDeployed(provider: Provider, deployment: Deployment): Promise<void> {
  const chainId = Number((await provider.getNetwork()).chainId);
  if (chainId !== deployment.chainId)
    throw new ChainMismatch('chain id', String(deployment.chainId), String(chainId));
  const contracts = [
    ['Groth16Verifier', deployment.verifier],
    ['ModelRegistry', deployment.registry],
    ['Settlement', deployment.settlement],
    ['InferenceMarket', deployment.market],
  ] as const;
  for (const [name, address] of contracts) {
    const code = await provider.getCode(address);
    if (!sameCode(artifact(name).runtimeBytecode, code)) {
      throw new ChainMismatch(
        `code of ${name} at ${address}`,
        keccak256(artifact(name).runtimeBytecode),
        keccak256(code),
      );
    }
  }
  for (const [name, address] of contracts.slice(1)) {
    const contract = new Contract(address, artifact(name).abi, provider);
    const verifier = String(await contract.getFunction('verifier')());
    if (verifier.toLowerCase() !== deployment.verifier.toLowerCase()) {
      throw new ChainMismatch(`verifier of ${name}`, deployment.verifier, verifier);
    }
  }
}

/** Immutables are 32-byte zero runs behind a PUSH32 in the artifact; every other byte must agree. */
function sameCode(expected: string, got: string): boolean {
  if (expected.length !== got.length) return false;
  const placeholder = /7f0{64}/g;
  let checked = 0;
  for (const match of expected.matchAll(placeholder)) {
    const end = match.index + 2;
    if (expected.slice(checked, end) !== got.slice(checked, end)) return false;
    checked = end + 64;
  }
  return expected.slice(checked) === got.slice(checked);
}
