/**
 * One proof encoding, four or five verdicts: our TypeScript verifier (mcl), snarkjs behind the strict gate, noble's pairing
 * behind the strict gate, the contract in an EVM, and our C++ pairing. The encoding is bytes and integers as an attacker sends them.
 */
import { bn254 } from '@noble/curves/bn254.js';
import { Contract, Interface, toBeHex, zeroPadValue } from 'ethers';
import * as snarkjs from 'snarkjs';
import {
  decodeProof,
  encodeProof,
  proofToJson,
  verifyingKeyBytes,
  verifyingKeyToJson,
} from '../../prover/codec.js';
import { q, r } from '../../prover/curve.js';
import { checkSignals } from '../../prover/gate.js';
import type { Proof } from '../../prover/keys.js';
import { nativeAvailability, verifyManyNative } from '../../prover/native-engine.js';
import { loadPairing } from '../../prover/pairing-noble.js';
import { verify } from '../../prover/verify.js';
import { artifact } from '../../service/chain/artifacts.js';
import type { Chain, TestModel } from './chain.js';
import { offSubgroup, withWord, withWords } from './gas.js';
import type { Random } from './random.js';
import { modulo } from './simulate.js';

export interface Encoding {
  readonly name: string;
  readonly proof: Uint8Array;
  readonly signals: readonly bigint[];
}

export interface Verdicts {
  readonly typescript: boolean;
  readonly snarkjs: boolean;
  readonly noble: boolean;
  readonly contract: boolean;
  /** Where the C++ prover is built. */
  readonly native?: boolean;
}

const accepts = async (judge: () => Promise<unknown>): Promise<boolean> => {
  try {
    return (await judge()) === true;
  } catch {
    return false;
  }
};

export async function fourVerifiers(
  chain: Chain,
  model: TestModel,
): Promise<(encoding: Encoding) => Promise<Verdicts>> {
  const registry = new Contract(chain.deployment.registry, artifact('ModelRegistry').abi, chain.provider);
  const [address, vkHash] = (await registry.getFunction('keyOf')(model.modelId)) as [string, string];
  const { selector } = new Interface(artifact('Groth16Verifier').abi).getFunction('verify')!;
  const vkJson = verifyingKeyToJson(model.key);
  const equation = (await loadPairing()).prepare(model.key);
  const count = model.key.ic.length - 1;
  const isNative = nativeAvailability().available;
  const gated = ({ proof, signals }: Encoding): Proof => {
    checkSignals(signals, count);
    return decodeProof(proof);
  };
  return async (encoding) => {
    const { proof, signals } = encoding;
    const word = (value: bigint): string => zeroPadValue(toBeHex(value), 32).slice(2);
    const data = [
      selector,
      zeroPadValue(address, 32).slice(2),
      vkHash.slice(2),
      Buffer.from(proof).toString('hex'),
      word(0x160n),
      word(BigInt(signals.length)),
      ...signals.map((signal) => word(((signal % (1n << 256n)) + (1n << 256n)) % (1n << 256n))),
    ].join('');
    return {
      typescript: await accepts(() => verify(model.key, signals, proof)),
      snarkjs: await accepts(async () =>
        snarkjs.groth16.verify(
          vkJson as never,
          signals.map(String) as never,
          proofToJson(gated(encoding)) as never,
        ),
      ),
      noble: await accepts(async () => equation([...signals], gated(encoding))),
      contract: await accepts(async () => {
        await chain.provider.call({ to: chain.deployment.verifier, data });
        return true;
      }),
      ...(isNative && {
        native: await accepts(async () =>
          verifyManyNative(
            verifyingKeyBytes(model.key),
            proof,
            Buffer.concat(signals.map((signal) => Buffer.from(word(signal), 'hex'))),
          ),
        ),
      }),
    };
  };
}

type Point = InstanceType<typeof bn254.G1.Point>;
type TwistPoint = InstanceType<typeof bn254.G2.Point>;
const g1 = ([x, y]: Proof['a']): Point => bn254.G1.Point.fromAffine({ x, y });
const g2 = ([x, y]: Proof['b']): TwistPoint =>
  bn254.G2.Point.fromAffine({ x: { c0: x[0], c1: x[1] }, y: { c0: y[0], c1: y[1] } });
const flat1 = (point: Point): Proof['a'] => {
  const { x, y } = point.toAffine();
  return [x, y];
};
const flat2 = (point: TwistPoint): Proof['b'] => {
  const { x, y } = point.toAffine();
  return [
    [x.c0, x.c1],
    [y.c0, y.c1],
  ];
};

/** The three ways in which anyone turns a valid proof into another valid proof of the same statement. */
export function rerandomized(model: TestModel, { a, b, c }: Proof, way: number, scalar: bigint): Proof {
  const inverse = bn254.fields.Fr.inv(modulo(scalar));
  if (way === 0) return { a: flat1(g1(a).multiply(scalar)), b: flat2(g2(b).multiply(inverse)), c };
  if (way === 1) return { a: flat1(g1(a).negate()), b: flat2(g2(b).negate()), c };
  const delta = g2(model.key.delta);
  return { a, b: flat2(g2(b).add(delta.multiply(scalar))), c: flat1(g1(c).add(g1(a).multiply(scalar))) };
}

/** A corpus without end: valid, re-randomized, mutated, malformed. `other` is a model with the same count of signals. */
export function* corpus(model: TestModel, other: TestModel, draw: Random): Generator<Encoding, never> {
  for (;;) {
    const signals = model.key.ic.slice(1).map(() => draw.scalar(r));
    const valid = model.prove(signals);
    const proof = encodeProof(valid);
    const which = draw.below(8);
    const at = draw.below(signals.length);
    const changed = (value: bigint): bigint[] => signals.map((signal, i) => (i === at ? value : signal));
    const old = BigInt(`0x${Buffer.from(proof.subarray(32 * which, 32 * which + 32)).toString('hex')}`);
    const flipped = Uint8Array.from(proof);
    flipped[draw.below(256)]! ^= 1 << draw.below(8);
    yield { name: 'valid', proof, signals };
    const way = draw.below(3);
    yield {
      name: `re-randomized ${way}`,
      proof: encodeProof(rerandomized(model, valid, way, draw.scalar(r))),
      signals,
    };
    yield { name: 'a bit flipped', proof: flipped, signals };
    yield {
      name: 'a coordinate plus q',
      proof: old + q < 1n << 256n ? withWord(proof, which, old + q) : flipped,
      signals,
    };
    yield { name: 'a coordinate negated', proof: withWord(proof, which, (q - old) % q), signals };
    yield { name: 'a coordinate at random', proof: withWord(proof, which, draw.scalar(q)), signals };
    yield { name: 'a signal plus one', proof, signals: changed((signals[at]! + 1n) % r) };
    yield { name: 'a signal plus r', proof, signals: changed(signals[at]! + r) };
    yield {
      name: 'a signal at an edge',
      proof,
      signals: changed(draw.pick([0n, r - 1n, r, r + 1n, q - 1n, q])),
    };
    yield { name: 'a negative signal', proof, signals: changed(-signals[at]! || -1n) };
    yield { name: 'a signal less', proof, signals: signals.slice(0, -1) };
    yield { name: 'a signal more', proof, signals: [...signals, 0n] };
    yield { name: 'another key', proof: encodeProof(other.prove(signals)), signals };
    yield { name: 'A and C swapped', proof: encodeProof({ a: valid.c, b: valid.b, c: valid.a }), signals };
    yield { name: 'B off the subgroup', proof: withWords(proof, offSubgroup), signals };
    const zeros = draw
      .pick([
        [0, 1],
        [2, 3, 4, 5],
        [6, 7],
      ])
      .map((i) => [i, 0n] as const);
    yield { name: 'a point at infinity', proof: withWords(proof, zeros), signals };
    yield { name: 'truncated', proof: proof.subarray(0, draw.below(256)), signals };
    yield { name: 'too long', proof: Buffer.concat([proof, draw.bytes(1 + draw.below(64))]), signals };
    yield { name: 'random bytes', proof: draw.bytes(256), signals };
    const swapped = [...signals].reverse();
    yield { name: 'signals in another order', proof, signals: swapped };
  }
}
