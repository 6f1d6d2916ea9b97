import type { Op } from './op.js';
import { maxPool } from './max-pool.js';
import { qGemm } from './q-gemm.js';
import { qLinearConv } from './q-linear-conv.js';
import { qLinearMatMul } from './q-linear-mat-mul.js';
import { relu } from './relu.js';
import { cast } from './cast.js';
import { clip, maximum, minimum } from './extremum.js';
import { convInteger, matMulInteger } from './integer-product.js';
import * as arithmetic from './integer-arithmetic.js';
import * as bitwise from './bitwise.js';
import { argMaximum, argMinimum } from './arg-extremum.js';
import { bitShift } from './bit-shift.js';
import { cumulativeSum } from './cum-sum.js';
import { gather } from './gather.js';
import { integerDivide, modulo } from './integer-division.js';
import { power } from './power.js';
import { rescale } from './rescale.js';
import { treeEnsemble } from './tree-ensemble.js';
import * as comparison from './comparison.js';
import * as logic from './logic.js';
import { sign } from './sign.js';
import { where } from './where.js';
import * as wiring from './wiring.js';

/** Every operator of the executed graph that a circuit can carry. */
export const OPS: readonly Op[] = [
  qLinearConv,
  qLinearMatMul,
  qGemm,
  arithmetic.add,
  arithmetic.subtract,
  arithmetic.multiply,
  integerDivide,
  modulo,
  power,
  bitShift,
  sign,
  cumulativeSum,
  argMaximum,
  argMinimum,
  arithmetic.negate,
  arithmetic.absolute,
  arithmetic.reduceSum,
  arithmetic.reduceMax,
  arithmetic.reduceMin,
  bitwise.bitwiseAnd,
  bitwise.bitwiseOr,
  bitwise.bitwiseXor,
  bitwise.bitwiseNot,
  convInteger,
  matMulInteger,
  rescale,
  treeEnsemble,
  relu,
  clip,
  maximum,
  minimum,
  maxPool,
  gather,
  cast,
  comparison.equal,
  comparison.greater,
  comparison.greaterOrEqual,
  comparison.less,
  comparison.lessOrEqual,
  logic.and,
  logic.or,
  logic.xor,
  logic.not,
  where,
  wiring.reshape,
  wiring.flatten,
  wiring.squeeze,
  wiring.unsqueeze,
  wiring.identity,
  wiring.transpose,
  wiring.slice,
  wiring.split,
  wiring.concat,
  wiring.pad,
  wiring.expand,
  wiring.tile,
  wiring.resize,
  wiring.depthToSpace,
  wiring.spaceToDepth,
  wiring.gatherElements,
  wiring.gatherNd,
  wiring.scatterElements,
  wiring.scatterNd,
];

const byName = new Map(OPS.map((op) => [`${op.domain}:${op.type}`, op]));

export function findOp(domain: string, type: string): Op | undefined {
  return byName.get(`${domain === 'ai.onnx' ? '' : domain}:${type}`);
}
