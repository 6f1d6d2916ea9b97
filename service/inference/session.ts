/**
 * The answering side: ONNX Runtime on the executed graph. Graph optimisation is off, so that what runs is the graph
 * the circuit was made from and nothing fused; x64quantprecision is on, because the default u8×s8 kernels saturate
 * 16-bit partial sums on x86 without VNNI. The self-test says whether that helped on this machine.
 */
import * as ort from 'onnxruntime-node';
import type { TensorSpec, TensorValues } from './tensors.js';

export interface OutputTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

export interface Session {
  run(inputs: ReadonlyMap<string, TensorValues>): Promise<OutputTensor[]>;
  close(): Promise<void>;
}

export const runtimeVersion: string = ort.env.versions.node ?? ort.env.versions.common;

export async function openSession(
  executedModel: Uint8Array,
  inputs: readonly TensorSpec[],
): Promise<Session> {
  const session = await ort.InferenceSession.create(executedModel, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
    extra: { session: { x64quantprecision: '1' } },
  });
  return {
    async run(values) {
      const feeds: Record<string, ort.Tensor> = {};
      for (const { name, dtype, shape } of inputs)
        feeds[name] = new ort.Tensor(dtype, values.get(name) as never, shape);
      const results = await session.run(feeds);
      return session.outputNames.map((name) => {
        const tensor = results[name]!;
        return { name, dtype: tensor.type, shape: tensor.dims, values: tensor.data as TensorValues };
      });
    },
    close: () => session.release(),
  };
}
