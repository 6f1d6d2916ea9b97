import test from 'ava';
import { encodeProof, verifyingKeyBytes } from '../../prover/codec.js';
import type { Proof } from '../../prover/keys.js';
import { registerModel } from '../../service/chain/registry.js';
import { settle } from '../../service/chain/settlement.js';
import { signReceipt, withSettlement } from '../../service/receipt.js';
import { jsonRpc, verifyReceipt } from '../../service/verifier/index.js';
import { startChain } from '../support/chain.js';
import { stageModel, stageReceipt } from '../support/receipt.js';

test('V04 on a real chain: pending, then final, and no longer settled after a reorg', async (t) => {
  const chain = await startChain();
  try {
    const { deployment, accounts, provider, anvil } = chain;
    const model = stageModel(81);
    const identity = { ...model.identity, setupClass: 1 };
    const registered = await registerModel(
      accounts[0],
      deployment,
      identity,
      verifyingKeyBytes(model.simulator.key),
    );
    t.is(registered.modelId, model.modelId);
    const nonce = 1n; // names no submitter: anyone may settle it
    const staged = await stageReceipt(model, { chain: true, contract: deployment.settlement, nonce });
    const { statement, request, publicSignals, proof } = staged.content;
    const settled = await settle(accounts[0], deployment, {
      modelId: statement.modelId,
      operator: statement.operator,
      payee: statement.payee,
      requester: request?.requester ?? '',
      nonce: BigInt(request?.nonce ?? 0),
      deadline: BigInt(statement.deadline),
      signals: publicSignals.slice(1),
      proof: encodeProof(proof as Proof),
    });
    t.is(settled.requestId, statement.requestId);
    const { transactionHash, blockNumber, blockHash } = settled;
    const claim = { state: 'settled' as const, transactionHash, blockNumber, blockHash, final: true };
    const receipt = await signReceipt(withSettlement(staged.receipt, claim), model.operator);
    const judge = () =>
      verifyReceipt(receipt, staged.expectations, {
        chain: jsonRpc(anvil.rpcUrl),
        registry: deployment.registry,
      });

    t.like(await judge(), { valid: true, settled: 'pending', revocation: 'active' });
    await provider.send('anvil_mine', ['0x60']);
    t.like(await judge(), { valid: true, settled: 'final' });

    const elsewhere = await stageReceipt(model, { chain: true, contract: deployment.settlement });
    const borrowed = await signReceipt(withSettlement(elsewhere.receipt, claim), model.operator);
    const options = { chain: jsonRpc(anvil.rpcUrl), registry: deployment.registry };
    t.like(await verifyReceipt(borrowed, elsewhere.expectations, options), { valid: false, settled: 'no' });

    const height = await provider.getBlockNumber();
    await provider.send('anvil_reorg', [height - blockNumber + 1, []]);
    t.like(await judge(), { valid: false, settled: 'no', verifiedOffline: true });
    t.like(await verifyReceipt(receipt, staged.expectations), { valid: true, settled: 'unknown' });
  } finally {
    await chain.stop();
  }
});
