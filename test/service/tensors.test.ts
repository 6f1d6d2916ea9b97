/** Every type that an input of a model may have comes through: from JSON or bytes, through the store, into ONNX Runtime. */
import test from 'ava';
import { compile } from '../../circuits/index.js';
import { importModel } from '../../circuits/import/import.js';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import type { Dtype } from '../../circuits/onnx/graph.js';
import { traceRuntime } from '../../service/audit/replay.js';
import { Problem } from '../../service/errors.js';
import { openSession } from '../../service/inference/session.js';
import { joinTensors, readTensor, splitTensors, type TensorDtype } from '../../service/inference/tensors.js';
import { GraphWriter, int } from '../support/graphs.js';
import { carriedRanges } from '../support/values.js';

for (const dtype of Object.keys(carriedRanges) as (Dtype & TensorDtype)[])
  test(`finding-36: a model with ${dtype} inputs is answered, and replayed by an auditor`, async (t) => {
    // 16-bit and unsigned ones installed, and then every request and every audit of them failed.
    const data = [...carriedRanges[dtype]!];
    const spec = { name: 'x', dtype, shape: [data.length] };
    const g = new GraphWriter();
    const y = g.node('Cast', [g.input('x', dtype, spec.shape)], { to: int(7) });
    const imported = importModel(encodeGraph(g.finish([{ name: y, dtype: 'int64', shape: spec.shape }])));
    const given = readTensor(spec, { data }, 'input');
    const base64 = Buffer.from(joinTensors([spec], new Map([['x', given]]))).toString('base64');
    t.deepEqual(readTensor(spec, { base64 }, 'input'), given);
    t.deepEqual(splitTensors([spec], Buffer.from(base64, 'base64')).get('x'), given);
    const session = await openSession(imported.executedModel, [spec]);
    const [answer] = await session.run(new Map([['x', given]]));
    await session.close();
    t.deepEqual(Array.from(answer!.values, Number), data);
    const { manifest } = compile(imported.graph);
    const trace = await traceRuntime(imported, manifest, new Map([['x', Int32Array.from(data)]]));
    t.deepEqual(Array.from(trace.at(-1)!.values, Number), data);
    for (const outside of [1.5, 2 ** 64, -(2 ** 63) - 2 ** 12, NaN])
      t.throws(() => readTensor(spec, { data: [outside, 0] }, 'input'), { instanceOf: Problem });
  });
