/** What is true of the contracts as they are written and deployed, rather than of one call. */
import test from 'ava';
import { readFileSync, readdirSync } from 'node:fs';
import { Contract } from 'ethers';
import { artifact } from '../../service/chain/artifacts.js';
import { assertDeployed } from '../../service/chain/deployment.js';
import { ChainRefused } from '../../service/chain/errors.js';
import { readModel } from '../../service/chain/registry.js';
import { settle, settleBatch } from '../../service/chain/settlement.js';
import { inputDigestOf } from '../../service/chain/market.js';
import { q, r } from '../../prover/curve.js';
import {
  contextOf,
  farDeadline,
  modelIdOf,
  provenCall,
  registered,
  startChain,
  testModel,
} from '../support/chain.js';
import { gasTable } from '../support/gas-table.js';
import { measureGas, offSubgroup, type GasFigures, withWord, withWords } from '../support/gas.js';

const sources = readdirSync('verifier-contracts', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.sol') && !/^(out|cache)\//.test(name))
  .map((name) => ({ name, text: readFileSync(`verifier-contracts/${name}`, 'utf8') }));
const code = (text: string): string => text.replace(/\/\/.*$|\/\*[\s\S]*?\*\//gm, '');
const deployed = ['Groth16Verifier', 'ModelRegistry', 'Settlement', 'InferenceMarket'];

test('S04 nothing inherits the verifier, and no assembly of ours ends a call in success', (t) => {
  for (const { name, text } of sources) {
    t.notRegex(code(text), /\bis\b[^{]*\bGroth16Verifier\b(?!\s*\{)/, name);
    t.notRegex(code(text), /[^.\w]return\s*\(\s*(0x)?[0-9a-z]+\s*,/i, name);
    t.notRegex(code(text), /\bdelegatecall\b|\bcallcode\b|\bselfdestruct\b/, name);
  }
  t.regex(
    code(sources.find(({ name }) => name === 'Groth16Verifier.sol')!.text),
    /contract Groth16Verifier is IGroth16Verifier \{/,
  );
});

test('S11 no contract has an owner, a pause, an upgrade or an initialiser', (t) => {
  for (const name of deployed) {
    const functions = (artifact(name).abi as { type: string; name?: string }[]).filter(
      ({ type }) => type === 'function',
    );
    for (const { name: called } of functions) {
      t.notRegex(
        called!,
        /owner|admin|pause|upgrade|initiali[sz]e|grant|role|setVerifier|migrate/i,
        `${name}.${called}`,
      );
    }
    const fallbacks = (artifact(name).abi as { type: string }[]).filter(
      ({ type }) => type === 'fallback' || type === 'receive',
    );
    t.deepEqual(fallbacks, [], `${name} takes no plain ether`);
  }
});

test('M12 the market holds ether alone: no contract of ours calls a token', (t) => {
  for (const { name, text } of sources)
    t.notRegex(code(text), /transferFrom|safeTransfer|IERC20|\bapprove\(/, name);
});

test('M16 nothing signed off chain moves money: no contract of ours recovers a signature', (t) => {
  for (const { name, text } of sources)
    t.notRegex(code(text), /ecrecover|isValidSignature|ECDSA|permit\(/i, name);
});

test('M18 no amount is divided, and additions are checked', (t) => {
  const market = code(sources.find(({ name }) => name === 'InferenceMarket.sol')!.text);
  t.notRegex(market, /unchecked/);
  for (const line of market.split('\n')) if (/[wW]ei/.test(line)) t.notRegex(line, /[*/%]/, line);
});

test('S07 a changed verifier, registry, settlement or market is noticed, and so is a changed key', async (t) => {
  const chain = await startChain();
  try {
    const { provider, deployment } = chain;
    await assertDeployed(provider, deployment);
    const model = await registered(chain, 3, 'audit');
    const { vkPointer, vkHash } = await readModel(provider, deployment, model.modelId);
    t.is(await provider.getCode(vkPointer!), `0x00${Buffer.from(model.vkBytes).toString('hex')}`);
    t.is(vkHash, model.identity.vkHash);
    for (const address of [
      deployment.verifier,
      deployment.registry,
      deployment.settlement,
      deployment.market,
    ]) {
      const right = await provider.getCode(address);
      for (const place of [right.length - 2, 40, right.length >> 1]) {
        const flipped = (parseInt(right[place]!, 16) ^ 1).toString(16);
        await provider.send('anvil_setCode', [
          address,
          right.slice(0, place) + flipped + right.slice(place + 1),
        ]);
        await t.throwsAsync(assertDeployed(provider, deployment));
      }
      await provider.send('anvil_setCode', [address, '0x']);
      await t.throwsAsync(assertDeployed(provider, deployment), { name: 'ChainMismatch' });
      await provider.send('anvil_setCode', [address, right]);
    }
    await assertDeployed(provider, deployment);
    await t.throwsAsync(assertDeployed(provider, { ...deployment, chainId: 1 }), { name: 'ChainMismatch' });
  } finally {
    await chain.stop();
  }
});

test('S12 what the contracts cost is what was committed', async (t) => {
  t.timeout(120_000);
  const committed = JSON.parse(readFileSync('test/verifier-contracts/gas.json', 'utf8')) as object;
  t.deepEqual({ ...(await measureGas()) }, committed as never, 'make gas-snapshot renews it');
  t.true(
    readFileSync('docs/contracts.md', 'utf8').includes(gasTable(committed as GasFigures)),
    'the table of docs/contracts.md is another one',
  );
});

for (const hardfork of ['cancun', 'prague', 'osaka'] as const) {
  test(`S13 the same verdicts under the rules of ${hardfork}`, async (t) => {
    const chain = await startChain({ hardfork });
    try {
      const model = await registered(chain, 3, 'forks');
      const [, operator, payee, requester] = chain.addresses as [string, string, string, string];
      let nonce = 0n;
      const call = () =>
        provenCall(chain, model, { requester, operator, payee, deadline: farDeadline, nonce: nonce++ }, [
          1n << 250n,
          5n,
        ]);
      await settle(chain.accounts[0]!, chain.deployment, call());
      const { settled } = await settleBatch(chain.accounts[0]!, chain.deployment, [call(), call(), call()]);
      t.is(settled.length, 3);
      const good = call();
      const bad: [string, typeof good][] = [
        ['ProofRejected', { ...good, signals: [1n << 250n, 6n] }],
        ['InvalidPoint', { ...good, proof: withWords(good.proof, offSubgroup) }],
        ['InvalidPoint', { ...good, proof: withWord(good.proof, 2, 5n) }],
        ['PointNotOnCurve', { ...good, proof: withWord(good.proof, 0, 5n) }],
        ['CoordinateNotCanonical', { ...good, proof: withWord(good.proof, 7, q) }],
        ['SignalNotCanonical', { ...good, signals: [r, 5n] }],
        ['SignalCountMismatch', { ...good, signals: [5n] }],
      ];
      for (const [reason, inference] of bad) {
        const error = await t.throwsAsync(settle(chain.accounts[0]!, chain.deployment, inference), {
          instanceOf: ChainRefused,
        });
        t.is(error!.reason, reason);
      }
      await settle(chain.accounts[0]!, chain.deployment, good);
    } finally {
      await chain.stop();
    }
  });
}

interface Vectors {
  contexts: { fields: Record<string, string>; ctx: string }[];
  models: { identity: Record<string, string | number>; modelId: string }[];
}

test('context and model id are the ones of the shared vectors', async (t) => {
  const vectors = JSON.parse(readFileSync('test/vectors/public-signals.json', 'utf8')) as Vectors;
  const onChain = vectors.contexts.filter(({ fields }) => fields['domain'] === 'verinfer/settlement/v1');
  t.true(onChain.length > 0);
  for (const { fields, ctx } of onChain) {
    const { contract, requestId, modelId, vkHash, operator, payee } = fields as Record<string, string>;
    const terms = { contract, requestId, modelId, vkHash, operator, payee } as never as Parameters<
      typeof contextOf
    >[0];
    // The encoding that the contracts are tested with (test/support/chain.ts, World.sol) is the encoding of the circuit.
    t.is(
      contextOf({ ...terms, chainId: Number(fields['chainId']), deadline: BigInt(fields['deadline']!) }),
      BigInt(ctx),
    );
  }
  const chain = await startChain();
  try {
    const registry = new Contract(chain.deployment.registry, artifact('ModelRegistry').abi, chain.provider);
    for (const { identity, modelId } of vectors.models) {
      t.is(await registry.getFunction('modelIdOf')(identity), modelId);
    }
    const { identity, modelId } = testModel(3, 'vectors');
    t.is(await registry.getFunction('modelIdOf')(identity), modelId);
    t.is(modelIdOf(identity), modelId);
    t.is(inputDigestOf([1n, 2n]).length, 66);
  } finally {
    await chain.stop();
  }
});
