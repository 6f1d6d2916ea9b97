/** Inputs that do not reach the operator, or reach it altered; prices; and an operator that forgets everything. */
import test from 'ava';
import { JsonRpcProvider, Wallet } from 'ethers';
import pino from 'pino';
import {
  claimableOf,
  encodeFulfil,
  encodeMove,
  inputDigestOf,
  readRequest,
  requestIdOfTerms,
  type MarketTerms,
} from '../../service/chain/market.js';
import { marketAbi } from '../../service/chain/market.js';
import { startInbox } from '../../service/operator/inbox.js';
import { openedSignals, type MarketModels } from '../../service/operator/market-models.js';
import {
  isSignedBy,
  receiveOpening,
  type Opening,
  type OpeningStore,
} from '../../service/operator/openings.js';
import { Operator } from '../../service/operator/operator.js';
import { quote, type Tariff } from '../../service/operator/pricing.js';
import type { ProofJobs, ProofState } from '../../service/operator/proof-jobs.js';
import { chainView } from '../../service/signer/quorum.js';
import { endpoint } from '../../service/signer/rpc.js';
import { Signer } from '../../service/signer/signer.js';
import { InputRefused } from '../../circuits/errors.js';
import { compile } from '../../circuits/index.js';
import { encodeProof } from '../../prover/codec.js';
import { GraphWriter } from '../support/graphs.js';
import { contextOf, registered, startChain, type Chain, type TestModel } from '../support/chain.js';
import { marketInput, marketStatement, type MarketStatement } from '../support/market.js';
import { memoryLedger, type MemoryLedger } from '../support/memory-ledger.js';

let chain: Chain;
let model: TestModel;
test.before(async () => {
  chain = await startChain();
  model = await registered(chain, 3, 'operator');
});
test.after.always(() => chain?.stop());

const opening: Opening = { inputs: { x: [1, 2, 3] }, salt: '0x01' };
const tariff: Tariff = { weiPerRow: 10n ** 9n, marginPercent: 10n, maxCollateralWei: 10n ** 18n };

/** Knows one input: it opens to marketInput; every other one opens to something else. */
const models: MarketModels = {
  rowCount: async (modelId) => (modelId === model.modelId ? 10 ** 6 : null),
  open: async ({ inputDigest }, { salt }) => {
    const got = inputDigestOf([salt === opening.salt ? marketInput : 5n]);
    if (got !== inputDigest)
      throw new InputRefused({ where: 'opening', what: 'input digest', expected: inputDigest, got });
  },
};

/** Proofs that are there when they are asked for next; of the operator that the signer is. */
function memoryJobs(
  operator: string,
): ProofJobs & { readonly kept: Map<string, ProofState>; queued: number } {
  const kept = new Map<string, ProofState>();
  return {
    kept,
    queued: 0,
    find: async (requestId) => kept.get(requestId) ?? { kind: 'none' },
    async queue(requestId, { modelId, deadline }) {
      this.queued += 1;
      const { chainId, market: contract } = chain.deployment;
      const { vkHash } = model.identity;
      const context = contextOf({
        ...{ chainId, contract, requestId, modelId, vkHash, deadline },
        ...{ operator, payee: operator },
      });
      const signals = [marketInput, 9n << 160n];
      const proof = encodeProof(model.prove([context, ...signals]));
      kept.set(requestId, { kind: 'proven', proveMs: 1, signals, proof });
    },
    drop: async (requestId) => void kept.delete(requestId),
  };
}

function memoryOpenings(): OpeningStore & { readonly kept: Map<string, Opening | null> } {
  const kept = new Map<string, Opening | null>();
  return {
    kept,
    record: async (id, verdict, _, given) => {
      if (kept.get(id)) return;
      kept.set(id, verdict === 'acknowledged' ? given : null);
    },
    read: async (id) => kept.get(id) ?? null,
    erase: async (id) => void kept.set(id, null),
  };
}

function operator(
  ledger: MemoryLedger,
  openings: OpeningStore,
  jobs: ProofJobs = memoryJobs(chain.addresses[1]),
  finalityDepth = 2,
): { operator: Operator; wallet: Wallet } {
  const wallet = new Wallet(chain.anvil.privateKeys[1]);
  const { deployment, anvil } = chain;
  const selectors = ['lock', 'fulfil', 'fulfilBatch', 'withdraw'].map(
    (name) => marketAbi().getFunction(name)!.selector,
  );
  const signer = new Signer({
    wallet,
    chain: chainView(anvil.chainId, [endpoint(anvil.rpcUrl)]),
    ledger,
    finalityDepth,
    policy: {
      chainId: anvil.chainId,
      calls: { [deployment.market]: selectors },
      maxValueWei: 10n ** 18n,
      maxValuePerHourWei: 10n ** 20n,
      maxPerHour: 1000,
      maxFeePerGasWei: 10n ** 12n,
      maxGas: 12_000_000n,
    },
  });
  const made = new Operator({
    provider: chain.provider as JsonRpcProvider,
    deployment,
    signer,
    ledger,
    openings,
    models,
    jobs,
    tariff,
    payee: wallet.address,
    withdrawAboveWei: 10n ** 30n,
    finalityDepth,
    log: pino({ level: 'silent' }),
  });
  return { operator: made, wallet };
}

let nonce = 100n;
async function asked(change: Partial<MarketTerms> = {}): Promise<MarketStatement> {
  const made = await marketStatement(chain, model, { nonce: nonce++, ...change });
  const { market: to } = chain.deployment;
  const sent = await chain.accounts[3].sendTransaction({
    to,
    data: encodeMove('request', made.terms),
    value: made.terms.feeWei,
  });
  await sent.wait();
  return made;
}

async function rounds(made: Operator, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await made.tick();
    await chain.provider.send('anvil_mine', ['0x1']);
  }
}

const statusOf = async (requestId: string): Promise<string> =>
  (await readRequest(chain.provider, chain.deployment, requestId)).status;

test.serial('M09 an operator locks and proves what it holds an opening of, and nothing else', async (t) => {
  const [ledger, openings] = [memoryLedger(), memoryOpenings()];
  const { operator: made, wallet } = operator(ledger, openings);
  const withheld = await asked();
  const altered = await asked();
  const good = await asked();
  await rounds(made, 1);
  const take = (requestId: string, given: Opening) =>
    receiveOpening(openings, wallet, models.open, requestId, made.request(requestId)!.terms, given);

  const refusal = await take(altered.requestId, { ...opening, salt: '0x02' });
  t.is(refusal.verdict, 'refused');
  t.regex(refusal.reason, /input digest must be 0x/);
  t.true(isSignedBy(refusal, wallet.address));
  t.false(isSignedBy({ ...refusal, verdict: 'acknowledged' }, wallet.address));
  const receipt = await take(good.requestId, opening);
  t.is(receipt.verdict, 'acknowledged');
  t.true(isSignedBy(receipt, wallet.address));

  await rounds(made, 6);
  t.is(await statusOf(good.requestId), 'fulfilled');
  t.is(await statusOf(withheld.requestId), 'open', 'never locked: there is nothing to slash');
  t.is(await statusOf(altered.requestId), 'open');
  t.true([...ledger.entries.keys()].some((id) => id === `lock:${good.requestId}`));
  t.false(
    [...ledger.entries.keys()].some(
      (id) => id.includes(withheld.requestId) || id.includes(altered.requestId),
    ),
  );
  await rounds(made, 4);
  t.is(await openings.read(good.requestId), null, 'the private input is erased once that is final');
});

test('M09 finding-32: no opening is acknowledged whose request could never be fulfilled', async (t) => {
  // Each of them opened its commitment; the operator locked, found no proof or no output, and lost its collateral.
  const g = new GraphWriter();
  const z = g.node('Div', [g.input('x', 'int8', [2]), g.input('y', 'int8', [2])]);
  const compiled = compile(g.finish([{ name: z, dtype: 'int8', shape: [2] }]));
  const given = (y: number[]): Opening => ({ inputs: { x: [7, -9], y }, salt: '0x01' });
  const signalsOf = (y: number[]) =>
    compiled.computeWitness({
      inputs: new Map(Object.entries(given(y).inputs).map(([name, list]) => [name, Int32Array.from(list)])),
      ctx: 0n,
      salt: 1n,
    }).publicSignals;
  const { terms } = await marketStatement(chain, model, { nonce: 8n });
  const answered = (y: number[], count: number) => {
    const inputDigest = inputDigestOf(signalsOf(y).slice(1, 1 + count));
    const asking = { ...terms, inputSignalCount: count, inputDigest };
    const open = async ({ inputSignalCount }: MarketTerms, opened: Opening) =>
      void openedSignals(compiled, opened, inputSignalCount);
    const wallet = new Wallet(chain.anvil.privateKeys[1]);
    return receiveOpening(memoryOpenings(), wallet, open, `0x${'32'.repeat(32)}`, asking, given(y));
  };
  t.is((await answered([2, 3], 1)).verdict, 'acknowledged');
  const withoutProof = await answered([2, 0], 1);
  t.is(withoutProof.verdict, 'refused');
  t.regex(withoutProof.reason, /divisor must be not 0/);
  for (const count of [2, 3]) {
    const withoutOutput = await answered([2, 3], count);
    t.is(withoutOutput.verdict, 'refused');
    t.regex(withoutOutput.reason, /inputSignalCount must be 1/);
  }
});

test.serial('an operator that lost its memory takes up where the chain and its ledger stand', async (t) => {
  const [ledger, openings, jobs] = [memoryLedger(), memoryOpenings(), memoryJobs(chain.addresses[1])];
  const { requestId, terms } = await asked();
  const first = operator(ledger, openings, jobs);
  await rounds(first.operator, 1);
  await receiveOpening(openings, first.wallet, models.open, requestId, terms, opening);
  for (let i = 0; i < 12 && (await statusOf(requestId)) !== 'fulfilled'; i++) {
    await rounds(operator(ledger, openings, jobs).operator, 1);
  }
  t.is(jobs.queued, 1);
  t.is(await statusOf(requestId), 'fulfilled');
  const entries = [...ledger.entries.values()].filter(({ id }) => id.includes(requestId));
  t.deepEqual(entries.map(({ id }) => id.split(':')[0]).sort(), ['fulfil', 'lock']);
});

test.serial('two requests that are ready together are fulfilled in one batch', async (t) => {
  const [ledger, openings] = [memoryLedger(), memoryOpenings()];
  const requests = [
    await asked({ lockSeconds: 0, lockCollateralWei: 0n }),
    await asked({ lockSeconds: 0, lockCollateralWei: 0n }),
  ];
  for (const { requestId } of requests) openings.kept.set(requestId, opening);
  await rounds(operator(ledger, openings).operator, 4);
  for (const { requestId } of requests) t.is(await statusOf(requestId), 'fulfilled');
  t.is([...ledger.entries.keys()].filter((id) => id.startsWith('fulfil-batch:')).length, 1);
});

test.serial(
  'an operator that comes back after a crash does not prove again what its ledger carries in a batch',
  async (t) => {
    const [ledger, openings, jobs] = [memoryLedger(), memoryOpenings(), memoryJobs(chain.addresses[1])];
    const noLock = { lockSeconds: 0, lockCollateralWei: 0n };
    const requests = [await asked(noLock), await asked(noLock)];
    for (const { requestId } of requests) openings.kept.set(requestId, opening);
    for (const { requestId, terms } of requests) t.is(requestIdOfTerms(chain.deployment, terms), requestId);
    await chain.provider.send('evm_setAutomine', [false]);
    try {
      await operator(ledger, openings, jobs).operator.tick(); // both are queued for proving
      await operator(ledger, openings, jobs).operator.tick(); // the batch is out, and no block comes
      jobs.kept.delete(requests[1]!.requestId); // alone, the first would make another intent than both together
      await operator(ledger, openings, jobs).operator.tick();
      await operator(ledger, openings, jobs).operator.tick();
      const batches = [...ledger.entries.values()].filter(({ id }) => id.startsWith('fulfil'));
      t.is(batches.length, 1, 'its successor sent nothing of what is on its way');
    } finally {
      await chain.provider.send('evm_setAutomine', [true]);
    }
    await rounds(operator(ledger, openings, jobs).operator, 4);
    for (const { requestId } of requests) t.is(await statusOf(requestId), 'fulfilled');
  },
);

test.serial('finding-24: a batch that the chain refused is sent again, each member alone', async (t) => {
  const [ledger, openings] = [memoryLedger(), memoryOpenings()];
  const noLock = { lockSeconds: 0, lockCollateralWei: 0n };
  const requests = [await asked(noLock), await asked(noLock)];
  for (const { requestId } of requests) openings.kept.set(requestId, opening);
  const { operator: made } = operator(ledger, openings);
  await made.tick();
  await chain.provider.send('evm_setAutomine', [false]);
  await made.tick();
  const [batch] = [...ledger.entries.values()].filter(({ id }) => id.startsWith('fulfil-batch:'));
  ledger.entries.set(batch!.id, { ...batch!, state: 'refused', nonce: null, attempts: [] });
  await chain.provider.send('anvil_dropAllTransactions', []);
  await chain.provider.send('evm_setAutomine', [true]);
  await rounds(made, 4);
  for (const { requestId } of requests) t.is(await statusOf(requestId), 'fulfilled');
});

/** What became of a fulfilment in the branch that replaced its block. */
const fates = ['dropped', 'its nonce taken', "another operator's, dropped"] as const;

for (const fate of fates) {
  test.serial(`R01 a fulfilment that a reorg takes back (${fate}) is sent again and paid once`, async (t) => {
    const [ledger, openings, jobs] = [memoryLedger(), memoryOpenings(), memoryJobs(chain.addresses[1])];
    const { provider, deployment } = chain;
    const made = operator(ledger, openings, jobs, 8);
    const { requestId, terms, fulfilment } = await asked({ lockSeconds: 0, lockCollateralWei: 0n });
    await provider.send('anvil_mine', ['0x8']);
    openings.kept.set(requestId, opening);
    const booked = await claimableOf(provider, deployment, chain.addresses[1]);
    if (fate === "another operator's, dropped") {
      const data = encodeFulfil(fulfilment);
      await (await chain.accounts[5].sendTransaction({ to: deployment.market, data })).wait();
      await rounds(made.operator, 2);
      t.is(jobs.queued, 0);
    } else {
      for (let i = 0; i < 8 && (await statusOf(requestId)) !== 'fulfilled'; i++) await made.operator.tick();
      await rounds(made.operator, 2);
    }
    t.is(await statusOf(requestId), 'fulfilled');
    const fulfilledAt = (await fulfilmentsOf(requestId))[0]!.blockNumber;
    const depth = (await provider.getBlockNumber()) - fulfilledAt + 1;
    const own = [...ledger.entries.values()].find(({ id }) => id.includes(requestId));
    const taken = await made.wallet.signTransaction({
      ...{ type: 2, to: made.wallet.address, nonce: own?.nonce ?? 0, chainId: deployment.chainId },
      ...{ gasLimit: 21_000n, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 9n },
    });
    await provider.send('anvil_reorg', [depth, fate === 'its nonce taken' ? [[taken, 0]] : []]);
    t.is(await statusOf(requestId), 'open', 'the chain has forgotten it');
    await rounds(made.operator, 30);
    t.is(await statusOf(requestId), 'fulfilled');
    t.is((await fulfilmentsOf(requestId)).length, 1, 'once in the canonical chain');
    t.is(await claimableOf(provider, deployment, chain.addresses[1]), booked + terms.feeWei, 'paid once');
    t.is(jobs.queued, 1, 'and never proven again');
    t.is(openings.kept.get(requestId), null, 'erased in the end');
  });
}

async function fulfilmentsOf(requestId: string): Promise<readonly { blockNumber: number }[]> {
  const topics = [marketAbi().getEvent('InferenceFulfilled')!.topicHash, requestId];
  return chain.provider.getLogs({ address: chain.deployment.market, topics, fromBlock: 0 });
}

test('a price: refused below cost, raced where proving is cheap, locked where a lost race would hurt', async (t) => {
  const { terms } = await marketStatement(chain, model, { nonce: 7n });
  const gasPrice = 10n ** 9n;
  t.is(quote({ ...terms, feeWei: 1n }, 1000, gasPrice, tariff).offer, 'refuse');
  t.is(quote(terms, 1000, gasPrice, tariff).offer, 'race');
  t.is(quote(terms, 10 ** 6, gasPrice, tariff).offer, 'lock');
  t.is(quote({ ...terms, lockSeconds: 0 }, 10 ** 6, gasPrice, tariff).offer, 'race');
  t.is(quote(terms, 10 ** 6, gasPrice, { ...tariff, maxCollateralWei: 0n }).offer, 'race');
  t.is(quote(terms, 10 ** 9, gasPrice, tariff).offer, 'refuse');
});

test('the inbox refuses what is not an opening, and never ends', async (t) => {
  const inbox = await startInbox(
    '127.0.0.1',
    0,
    async () => null,
    () => undefined,
  );
  try {
    const send = async (body: string, path = '/openings'): Promise<number> =>
      (await fetch(`${inbox.url}${path}`, { method: 'POST', body })).status;
    const requestId = `0x${'ab'.repeat(32)}`;
    t.is(await send(JSON.stringify({ requestId, opening })), 404);
    for (const bad of [
      '',
      '{',
      '[]',
      'null',
      '{"requestId":1}',
      JSON.stringify({ requestId, opening, more: 1 }),
    ]) {
      t.is(await send(bad), 400, bad);
    }
    t.is(await send(JSON.stringify({ requestId, opening: { ...opening, inputs: { x: [1.5] } } })), 400);
    t.is(await send('x'.repeat(5 << 20)).catch(() => 400), 400);
    t.is(await send('{}', '/other'), 404);
    t.is(await send(JSON.stringify({ requestId, opening })), 404);
    t.is(inputDigestOf([1n]).length, 66);
  } finally {
    await inbox.stop();
  }
});

test('finding-55: what goes wrong in an operator is not told, nor held against an opening', async (t) => {
  const { terms } = await marketStatement(chain, model, { nonce: 9n });
  const kept = memoryOpenings();
  const open = () => Promise.reject(new Error('ENOENT: no such file, open /srv/models/secret'));
  const seen: string[] = [];
  const inbox = await startInbox(
    '127.0.0.1',
    0,
    (requestId, given) =>
      receiveOpening(kept, new Wallet(chain.anvil.privateKeys[1]), open, requestId, terms, given),
    ({ message }) => seen.push(message),
  );
  try {
    const body = JSON.stringify({ requestId: `0x${'55'.repeat(32)}`, opening });
    const reply = await fetch(`${inbox.url}/openings`, { method: 'POST', body });
    t.is(reply.status, 503);
    t.deepEqual(await reply.json(), { reason: 'try again later' });
    t.is(seen.length, 1);
    t.is(kept.kept.size, 0, 'no verdict');
  } finally {
    await inbox.stop();
  }
});
