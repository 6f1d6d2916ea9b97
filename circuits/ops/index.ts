import type { Op } from './op.js';
import { maxPool } from './max-pool.js';
import { qGemm } from './q-gemm.js';
import { qLinearConv } from './q-linear-conv.js';
import { qLinearMatMul } from './q-linear-mat-mul.js';
import { relu } from './relu.js';
import { concat, gather, slice, transpose } from './wiring.js';
import { flatten, identity, reshape, squeeze, unsqueeze } from './reshape.js';

/** Every operator of the executed graph that a circuit can carry. */
export const OPS: readonly Op[] = [
  qLinearConv,
  qLinearMatMul,
  qGemm,
  relu,
  maxPool,
  reshape,
  flatten,
  squeeze,
  unsqueeze,
  identity,
  transpose,
  slice,
  concat,
  gather,
];

const byName = new Map(OPS.map((op) => [`${op.domain}:${op.type}`, op]));

export function findOp(domain: string, type: string): Op | undefined {
  return byName.get(`${domain === 'ai.onnx' ? '' : domain}:${type}`);
}
