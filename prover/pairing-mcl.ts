import mcl from 'mcl-wasm';
import type { G1Point, G2Point } from './keys.js';
import type { Pairing } from './pairing.js';

const g1 = ([x, y]: G1Point): mcl.G1 => {
  const point = new mcl.G1();
  point.setStr(`1 ${x.toString(16)} ${y.toString(16)}`, 16);
  return point;
};

const g2 = (point: G2Point): mcl.G2 => {
  const result = new mcl.G2();
  result.setStr(
    `1 ${point
      .flat()
      .map((c) => c.toString(16))
      .join(' ')}`,
    16,
  );
  return result;
};

const scalar = (value: bigint): mcl.Fr => {
  const result = new mcl.Fr();
  result.setStr(value.toString(16), 16);
  return result;
};

let ready: Promise<void> | undefined;

export async function loadPairing(): Promise<Pairing> {
  await (ready ??= mcl.init(mcl.BN_SNARK1));
  return {
    name: 'mcl',
    prepare(key) {
      const alphaBeta = mcl.millerLoop(g1(key.alpha), g2(key.beta));
      const minusGamma = mcl.neg(g2(key.gamma));
      const minusDelta = mcl.neg(g2(key.delta));
      const ic = key.ic.map(g1);
      return (signals, proof) => {
        let sum = ic[0];
        signals.forEach((signal, i) => {
          sum = mcl.add(sum, mcl.mul(ic[i + 1], scalar(signal)));
        });
        // e(−A, B)·e(α, β)·e(sum, γ)·e(C, δ) = 1, inverted as a whole so that only key points are negated.
        const left = mcl.millerLoop(g1(proof.a), g2(proof.b));
        const right = mcl.mul(mcl.millerLoop(sum, minusGamma), mcl.millerLoop(g1(proof.c), minusDelta));
        return mcl.finalExp(mcl.div(mcl.mul(left, right), alphaBeta)).isOne();
      };
    },
  };
}
