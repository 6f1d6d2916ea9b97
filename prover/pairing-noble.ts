import { bn254 } from '@noble/curves/bn254.js';
import type { G1Point, G2Point } from './keys.js';
import type { Pairing } from './pairing.js';

const { Point: G1 } = bn254.G1;
const { Point: G2 } = bn254.G2;
const { Fp2, Fp12 } = bn254.fields;

const g1 = ([x, y]: G1Point) => G1.fromAffine({ x, y });
const g2 = ([x, y]: G2Point) =>
  G2.fromAffine({ x: Fp2.fromBigTuple([x[0], x[1]]), y: Fp2.fromBigTuple([y[0], y[1]]) });

export async function loadPairing(): Promise<Pairing> {
  return {
    name: 'noble',
    prepare(key) {
      const lines = (point: G2Point) => bn254.utils.calcPairingPrecomputes(g2(point));
      const [gamma, delta] = [lines(key.gamma), lines(key.delta)];
      const alphaBeta = bn254.pairing(g1(key.alpha), g2(key.beta));
      const ic = key.ic.map(g1);
      return (signals, proof) => {
        const sum = signals.reduce((acc, s, i) => acc.add(ic[i + 1].multiplyUnsafe(s)), ic[0]);
        const minus = (point: { x: bigint; y: bigint }) => bn254.fields.Fp.neg(point.y);
        const c = g1(proof.c).toAffine();
        const pairs: Parameters<typeof bn254.millerLoopBatch>[0] = [
          [lines(proof.b), ...proof.a],
          [delta, c.x, minus(c)],
        ];
        // Infinity pairs to 1; noble refuses it, so it is left out.
        if (!sum.is0()) pairs.push([gamma, sum.toAffine().x, minus(sum.toAffine())]);
        return Fp12.eql(Fp12.finalExponentiate(bn254.millerLoopBatch(pairs)), alphaBeta);
      };
    },
  };
}
