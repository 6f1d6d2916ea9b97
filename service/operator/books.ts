/** Every wei of the market, recounted from the blocks of the chain. */
import type { JsonRpcProvider } from 'ethers';
import type { Deployment } from '../chain/deployment.js';
import { marketAbi } from '../chain/market.js';

export interface OperatorBooks {
  readonly address: string;
  readonly fulfilled: number;
  /** Fees booked for its proofs. */
  readonly earnedWei: bigint;
  readonly gasWei: bigint;
  /** What its balance should be by the chain's own figures, minus what it is: zero. */
  readonly differenceWei: bigint;
}

export interface Books {
  /** Sent to the market: fees and collateral. */
  readonly inWei: bigint;
  /** Withdrawn from it. */
  readonly outWei: bigint;
  /** Still there. */
  readonly leftWei: bigint;
  /** Fees booked to operators' payees. */
  readonly earnedWei: bigint;
  readonly operators: readonly OperatorBooks[];
  readonly isBalanced: boolean;
}

export async function auditBooks(
  provider: JsonRpcProvider,
  { market }: Deployment,
  operators: readonly string[],
): Promise<Books> {
  const logs = await provider.getLogs({ address: market, fromBlock: 0 });
  const events = logs.map((log) => marketAbi().parseLog(log)!);
  const sum = (name: string, field: string): bigint =>
    events
      .filter((event) => event.name === name)
      .reduce((total, { args }) => total + BigInt(args[field]), 0n);
  const outWei = sum('Withdrawn', 'amountWei');
  const earnedWei = sum('InferenceFulfilled', 'feeWei');
  const zeros = (): Map<string, bigint> => new Map(operators.map((address) => [address.toLowerCase(), 0n]));
  const [spent, gas] = [zeros(), zeros()];
  let inWei = 0n;
  const head = await provider.getBlockNumber();
  for (let number = 0; number <= head; number++) {
    const block = await provider.send('eth_getBlockByNumber', [`0x${number.toString(16)}`, true]);
    for (const { hash, from, to, value } of block.transactions) {
      const receipt = await provider.send('eth_getTransactionReceipt', [hash]);
      const moved = receipt.status === '0x1' ? BigInt(value) : 0n;
      if (to === market.toLowerCase()) inWei += moved;
      const known = spent.get(from);
      if (known === undefined) continue;
      const gasWei = BigInt(receipt.gasUsed) * BigInt(receipt.effectiveGasPrice);
      gas.set(from, gas.get(from)! + gasWei);
      spent.set(from, known + moved + gasWei);
    }
  }
  // A contract that forwards its caller's fee sends no transaction of its own.
  inWei += events
    .filter(
      ({ name, args }) => name === 'InferenceRequested' && args['terms'].callback !== `0x${'00'.repeat(20)}`,
    )
    .reduce((total, { args }) => total + BigInt(args['terms'].feeWei), 0n);
  const start = await Promise.all(operators.map((address) => provider.getBalance(address, 0)));
  const end = await Promise.all(operators.map((address) => provider.getBalance(address)));
  const withdrawn = operators.map((address) =>
    events
      .filter(({ name, args }) => name === 'Withdrawn' && String(args['to']) === address)
      .reduce((total, { args }) => total + BigInt(args['amountWei']), 0n),
  );
  const books = operators.map((address, i): OperatorBooks => {
    const paid = events.filter(
      ({ name, args }) => name === 'InferenceFulfilled' && args['operator'] === address,
    );
    return {
      address,
      fulfilled: paid.length,
      earnedWei: paid.reduce((total, { args }) => total + BigInt(args['feeWei']), 0n),
      gasWei: gas.get(address.toLowerCase())!,
      differenceWei: start[i]! - spent.get(address.toLowerCase())! + withdrawn[i]! - end[i]!,
    };
  });
  const leftWei = await provider.getBalance(market);
  const isBalanced =
    inWei === outWei + leftWei &&
    leftWei === 0n &&
    earnedWei === books.reduce((total, one) => total + one.earnedWei, 0n) &&
    books.every(({ differenceWei }) => differenceWei === 0n);
  return { inWei, outWei, leftWei, earnedWei, operators: books, isBalanced };
}
