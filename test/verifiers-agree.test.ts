import test from 'ava';
import { concat, Contract, getAddress } from 'ethers';
import { curves, groth16 } from 'snarkjs';
import {
  decodeProof,
  encodeProof,
  fieldBytes,
  proofToJson,
  verifyingKeyBytes,
  verifyingKeyToJson,
  vkHash,
} from '../prover/codec.js';
import { q, r } from '../prover/curve.js';
import { checkSignals } from '../prover/gate.js';
import { nativeAvailability, verifyManyNative } from '../prover/native-engine.js';
import { loadPairing as loadNoble } from '../prover/pairing-noble.js';
import { verify } from '../prover/verify.js';
import { artifact } from '../service/chain/artifacts.js';
import { campaign } from './support/campaign.js';
import { startChain } from './support/chain.js';
import { type Random, random, seedFrom } from './support/random.js';
import { g1, g2, simulator } from './support/simulate.js';

interface Case {
  readonly proof: Uint8Array;
  readonly signals: readonly bigint[];
}

const caseCount = campaign(100, 10_000);

test.after.always(async () => (await curves.getCurveFromName('bn128')).terminate());

test('P12 our verifier, noble, snarkjs behind the gate, the native one and the contract give one verdict', async (t) => {
  const draw = random(seedFrom(t.log));
  const { key, prove } = simulator(2, () => draw.scalar(r));
  const chain = await startChain();
  try {
    const holder = getAddress(`0x${'5e'.repeat(20)}`);
    await chain.provider.send('anvil_setCode', [holder, concat(['0x00', verifyingKeyBytes(key)])]);
    const contract = new Contract(chain.deployment.verifier, artifact('Groth16Verifier').abi, chain.provider);
    const noble = (await loadNoble()).prepare(key);
    const verifiers: Record<string, (item: Case) => Promise<boolean>> = {
      mcl: ({ proof, signals }) => verify(key, signals, proof),
      noble: async ({ proof, signals }) => noble(checkSignals(signals, 2), decodeProof(proof)),
      snarkjs: async ({ proof, signals }) =>
        groth16.verify(
          verifyingKeyToJson(key),
          checkSignals(signals, 2).map(String),
          proofToJson(decodeProof(proof)) as never,
        ),
      contract: async ({ proof, signals }) => {
        const words = Array.from(
          { length: 8 },
          (_, i) => `0x${Buffer.from(proof.subarray(32 * i, 32 * i + 32)).toString('hex')}`,
        );
        await contract.getFunction('verify').staticCall(holder, vkHash(key), words, signals);
        return true;
      },
      ...(nativeAvailability().available && {
        native: ({ proof, signals }: Case) =>
          verifyManyNative(verifyingKeyBytes(key), proof, Buffer.concat(signals.map(fieldBytes))),
      }),
    };
    const counts = { accepted: 0, rejected: 0 };
    for (let i = 0; i < caseCount; i++) {
      const item = someCase(draw, prove);
      const verdicts = Object.fromEntries(
        await Promise.all(
          Object.entries(verifiers).map(async ([name, check]) => [
            name,
            await check(item).catch(() => false),
          ]),
        ),
      );
      const all = new Set(Object.values(verdicts));
      if (all.size !== 1) t.fail(`case ${i}: ${JSON.stringify(verdicts)}`);
      counts[all.has(true) ? 'accepted' : 'rejected']++;
    }
    t.log(JSON.stringify(counts));
    t.true(counts.accepted > caseCount / 6 && counts.rejected > caseCount / 3);
  } finally {
    await chain.stop();
  }
});

/** A valid proof, or one that is wrong in a way some verifier somewhere got wrong. */
function someCase(draw: Random, prove: (signals: readonly bigint[]) => ReturnType<typeof decodeProof>): Case {
  const signals = [draw.pick([draw.scalar(r), 0n, 1n, r - 1n]), draw.scalar(r)];
  const proof = prove(signals);
  const bytes = encodeProof(proof);
  const word = draw.below(8);
  const value = BigInt(`0x${Buffer.from(bytes.subarray(32 * word, 32 * word + 32)).toString('hex')}`);
  const withWord = (changed: bigint): Uint8Array => {
    const copy = bytes.slice();
    copy.set(fieldBytes(changed), 32 * word);
    return copy;
  };
  switch (draw.below(12)) {
    case 0:
    case 1:
    case 2:
      return { proof: bytes, signals };
    case 3:
      return { proof: withWord(value + q), signals };
    case 4:
      return { proof: withWord(q - value), signals };
    case 5:
      return { proof: bytes, signals: [signals[0], signals[1] + r] };
    case 6:
      return { proof: bytes, signals: [(signals[0] + 1n) % r, signals[1]] };
    case 7:
      return { proof: encodeProof({ ...proof, a: proof.c, c: proof.a }), signals };
    case 8:
      return { proof: encodeProof({ ...proof, b: g2(draw.scalar(r)) }), signals };
    case 9:
      return { proof: encodeProof({ ...proof, a: g1(draw.scalar(r)) }), signals };
    case 10: {
      const copy = bytes.slice();
      copy.fill(0, draw.pick([0, 64, 192]), draw.pick([64, 192, 256]));
      return { proof: copy, signals };
    }
    default: {
      const copy = bytes.slice();
      copy[draw.below(256)] ^= 1 << draw.below(8);
      return { proof: copy, signals };
    }
  }
}
