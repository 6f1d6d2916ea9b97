import test from 'ava';
import { isVerdictOnProof, ChainRefused } from '../../service/chain/errors.js';
import { verifyOnChain } from '../../service/chain/registry.js';
import {
  findOwnSettlement,
  findSettlement,
  isSettled,
  ownNonce,
  requestIdOf,
  settle,
  settleBatch,
  type SettlementCall,
} from '../../service/chain/settlement.js';
import {
  contextOf,
  farDeadline,
  provenCall,
  registered,
  startChain,
  type Chain,
  type TestModel,
} from '../support/chain.js';

let chain: Chain;
let model: TestModel;
test.before(async () => {
  chain = await startChain();
  model = await registered(chain, 3, 'settlement');
});
test.after.always(() => chain?.stop());

let nonce = 0n;
const call = (
  signals: bigint[] = [7n << 240n, 1n << 247n],
  change: Partial<SettlementCall> = {},
): SettlementCall => {
  const [, operator, payee, requester] = chain.addresses as [string, string, string, string];
  const terms = { requester, nonce: ++nonce, operator, payee, deadline: farDeadline, ...change };
  return provenCall(chain, model, terms, signals);
};
const refused = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'accepted';
  } catch (error) {
    return error instanceof ChainRefused ? error.reason : String(error);
  }
};

test.serial('a proven inference settles once, whoever submits it', async (t) => {
  const inference = call();
  const settled = await settle(chain.accounts[5]!, chain.deployment, inference);
  t.is(settled.requestId, requestIdOf(inference));
  t.is(settled.operator, chain.addresses[1]);
  t.is(settled.payee, chain.addresses[2]);
  t.deepEqual([...settled.signals], [...inference.signals]);
  t.true(await isSettled(chain.provider, chain.deployment, inference));
  t.is(
    (await findSettlement(chain.provider, chain.deployment, settled.requestId))?.transactionHash,
    settled.transactionHash,
  );
  t.is(await refused(settle(chain.accounts[1]!, chain.deployment, inference)), 'AlreadySettled');
  t.log(`gas ${settled.gasUsed}`);
});

test.serial('every bound value is bound: another one makes the same proof worthless', async (t) => {
  const inference = call();
  const other = chain.addresses[9]!;
  const changes: Partial<SettlementCall>[] = [
    { operator: other },
    { payee: other },
    { requester: other },
    { nonce: 1n << 90n },
    { deadline: farDeadline - 1n },
    { signals: [inference.signals[0]!, inference.signals[1]! + 1n] },
    { signals: [inference.signals[0]! + 1n, inference.signals[1]!] },
  ];
  for (const change of changes) {
    t.is(
      await refused(settle(chain.accounts[0]!, chain.deployment, { ...inference, ...change })),
      'ProofRejected',
      JSON.stringify(Object.keys(change)),
    );
  }
  await settle(chain.accounts[0]!, chain.deployment, inference);
});

test.serial('finding-11: a settlement of the request by another proof is not taken for ours', async (t) => {
  const ours = call();
  t.is(await findOwnSettlement(chain.provider, chain.deployment, ours), undefined);
  const theirs = call([1n, 2n], {
    nonce: ours.nonce,
    operator: chain.addresses[7]!,
    payee: chain.addresses[7]!,
  });
  t.is(requestIdOf(theirs), requestIdOf(ours));
  const sent = await settle(chain.accounts[7]!, chain.deployment, theirs);
  t.is(await refused(findOwnSettlement(chain.provider, chain.deployment, ours)), 'AlreadySettled');
  for (const part of [{ operator: ours.operator }, { payee: ours.payee }, { signals: ours.signals }])
    t.is(
      await refused(findOwnSettlement(chain.provider, chain.deployment, { ...theirs, ...part })),
      'AlreadySettled',
    );
  const found = await findOwnSettlement(chain.provider, chain.deployment, theirs);
  t.is(found?.transactionHash, sent.transactionHash);
});

test.serial("finding-23: the nonces that follow a settled one are the signer's own", async (t) => {
  const [, operator, , requester] = chain.addresses;
  const lane = 0x5eedn;
  const first = call(undefined, { nonce: ownNonce(operator, lane, 0n) });
  await settle(chain.accounts[1]!, chain.deployment, first);
  // Whoever saw the first knows the rest; a proof of a model of their own costs them nothing.
  const theirs = await registered(chain, 3, 'settlement/stranger');
  const stranger = chain.addresses[7]!;
  const next = { requester, nonce: ownNonce(operator, lane, 1n), deadline: farDeadline };
  const burning = provenCall(chain, theirs, { ...next, operator: stranger, payee: stranger }, [1n, 2n]);
  t.is(await refused(settle(chain.accounts[7]!, chain.deployment, burning)), 'NotSubmitter');
  t.is(await refused(settleBatch(chain.accounts[7]!, chain.deployment, [burning])), 'NotSubmitter');
  t.false(await isSettled(chain.provider, chain.deployment, next));
  const second = call(undefined, { nonce: next.nonce });
  await settle(chain.accounts[1]!, chain.deployment, second);
  // The requester needs no operator's leave to settle a proof it was given.
  const third = call(undefined, { nonce: ownNonce(operator, lane, 2n) });
  await settle(chain.accounts[3]!, chain.deployment, third);
});

test.serial('a batch skips what is settled and what is out of time', async (t) => {
  const inferences = [call(), call(), call([1n, 2n], { deadline: 1n }), call()];
  await settle(chain.accounts[0]!, chain.deployment, inferences[1]!);
  const { settled, gasUsed } = await settleBatch(chain.accounts[0]!, chain.deployment, inferences);
  t.deepEqual(
    settled.map(({ requestId }) => requestId),
    [inferences[0]!, inferences[3]!].map(requestIdOf),
  );
  t.is(await refused(settleBatch(chain.accounts[0]!, chain.deployment, inferences)), 'NothingToSettle');
  t.log(`gas ${gasUsed}`);
});

test.serial('one bad proof sinks a batch, and names nobody', async (t) => {
  const inferences = [call(), call(), call()];
  const bad = { ...inferences[1]!, proof: inferences[0]!.proof };
  t.is(
    await refused(settleBatch(chain.accounts[0]!, chain.deployment, [inferences[0]!, bad, inferences[2]!])),
    'ProofRejected',
  );
});

test.serial('a batch of two models in one call', async (t) => {
  const second = await registered(chain, 5, 'settlement/second');
  const terms = {
    requester: chain.addresses[3]!,
    operator: chain.addresses[1]!,
    payee: chain.addresses[2]!,
    deadline: farDeadline,
  };
  const others = [1n, 2n].map((i) =>
    provenCall(chain, second, { ...terms, nonce: (9n << 8n) + i }, [i, 2n, 3n, 4n]),
  );
  const { settled } = await settleBatch(chain.accounts[0]!, chain.deployment, [call(), call(), ...others]);
  t.is(settled.length, 4);
});

test.serial('verifyOnChain accepts with the context, and tells a verdict from a failure', async (t) => {
  const { chainId, settlement } = chain.deployment;
  const inference = call();
  const context = contextOf({
    ...inference,
    chainId,
    contract: settlement,
    requestId: requestIdOf(inference),
    vkHash: model.identity.vkHash,
  });
  const signals = [context, ...inference.signals];
  t.true(await verifyOnChain(chain.provider, chain.deployment, model.modelId, signals, inference.proof));
  const error = await t.throwsAsync(
    verifyOnChain(
      chain.provider,
      chain.deployment,
      model.modelId,
      [0n, ...inference.signals],
      inference.proof,
    ),
  );
  t.true(isVerdictOnProof(error));
  const unknown = await t.throwsAsync(
    verifyOnChain(chain.provider, chain.deployment, `0x${'1'.repeat(64)}`, signals, inference.proof),
  );
  t.false(isVerdictOnProof(unknown));
});
