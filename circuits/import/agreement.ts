/**
 * How often the executed graph, the one that is served and proven, answers otherwise than the file as uploaded: both
 * run in ONNX Runtime, without graph optimisation, on the same inputs. Measured when a model is registered; reported.
 */
import type * as ort from 'onnxruntime-node';
import type { ConstantTensor } from '../onnx/graph.js';
import { openSession, toOrtTensor } from '../quantize/calibrate.js';

export interface Agreement {
  readonly samples: number;
  /** Elements of all outputs of the model over all samples. */
  readonly elements: number;
  readonly mismatchedElements: number;
  /** Largest absolute difference of two elements. */
  readonly maxDifference: number;
}

/** @param samples full inputs by name; at least one. */
export async function measureAgreement(
  uploaded: Uint8Array,
  executed: Uint8Array,
  samples: readonly ReadonlyMap<string, ConstantTensor>[],
): Promise<Agreement> {
  const sessions = [await openSession(uploaded), await openSession(executed)];
  let elements = 0;
  let mismatchedElements = 0;
  let maxDifference = 0;
  for (const sample of samples) {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, tensor] of sample) feeds[name] = toOrtTensor(tensor);
    const [given, own] = await Promise.all(sessions.map((session) => session.run(feeds)));
    for (const name of sessions[0]!.outputNames) {
      const [expected, got] = [given, own].map((answer) => answer![name]!.data as ArrayLike<number | bigint>);
      for (let i = 0; i < expected!.length; i++) {
        elements++;
        if (expected![i] === got![i]) continue;
        mismatchedElements++;
        maxDifference = Math.max(maxDifference, Math.abs(Number(expected![i]) - Number(got![i])));
      }
    }
  }
  await Promise.all(sessions.map((session) => session.release()));
  return { samples: samples.length, elements, mismatchedElements, maxDifference };
}
