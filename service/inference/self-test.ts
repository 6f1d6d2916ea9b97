/**
 * Does ONNX Runtime multiply u8 by s8 exactly on this processor? Without VNNI its default kernels add pairs of products
 * in 16 bits and saturate: x = 255, w = 127 gives 32767 where 64770 is right. The verdict stands in every receipt.
 */
import { encodeGraph } from '../../circuits/onnx/encode.js';
import type { ConstantTensor, Graph } from '../../circuits/onnx/graph.js';
import { openSession } from './session.js';

const depth = 64;
const constant = (
  dtype: ConstantTensor['dtype'],
  data: ConstantTensor['data'],
  shape: number[],
): ConstantTensor => ({ dtype, shape, data });

const graph: Graph = {
  opsets: new Map([['', 14]]),
  inputs: [{ name: 'x', dtype: 'uint8', shape: [1, depth] }],
  outputs: [{ name: 'y', dtype: 'uint8', shape: [1, 1] }],
  constants: new Map([
    ['one', constant('float32', new Float32Array([1]), [])],
    ['zero-u8', constant('uint8', new Uint8Array([0]), [])],
    ['zero-s8', constant('int8', new Int8Array([0]), [])],
    ['w', constant('int8', new Int8Array(depth).fill(127), [depth, 1])],
    ['y-scale', constant('float32', new Float32Array([16384]), [])],
  ]),
  nodes: [
    {
      name: 'self-test',
      domain: '',
      type: 'QLinearMatMul',
      outputs: ['y'],
      attributes: new Map(),
      inputs: ['x', 'one', 'zero-u8', 'w', 'one', 'zero-s8', 'y-scale', 'zero-u8'],
    },
  ],
};

/** 'pass' when the widest products come out exact. */
export async function selfTest(): Promise<'pass' | 'fail'> {
  const session = await openSession(encodeGraph(graph), [{ name: 'x', dtype: 'uint8', shape: [1, depth] }]);
  try {
    const [y] = await session.run(new Map([['x', new Uint8Array(depth).fill(255)]]));
    // 64 · 255 · 127 / 16384 = 126.5… rounds to 127; saturated pairs would give 64.
    const expected = Math.round((depth * 255 * 127) / 16384);
    return Number(y?.values[0]) === expected ? 'pass' : 'fail';
  } finally {
    await session.close();
  }
}
