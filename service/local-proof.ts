/** One inference proven in this process, without server or queue: the same functions in the same order. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { selfTest } from './inference/self-test.js';
import { openSession, runtimeVersion } from './inference/session.js';
import { joinTensors } from './inference/tensors.js';
import { outputJson, readInputs } from './answer.js';
import { readDescription, tableOf } from './model-folder.js';
import type { ProvenTensor, Refused, Proven } from './proving/protocol.js';
import { loadProver } from './proving/loaded-prover.js';
import { prove } from './proving/thread.js';
import type { InferenceRequest } from './schemas.js';
import { offlineStatement } from './statement.js';

export interface LocalProof {
  readonly receipt: string;
  readonly salt: string | null;
  readonly timings: Readonly<Record<string, number>>;
  readonly outputs: readonly ProvenTensor[];
}

export async function proveLocally(
  folder: string,
  request: Pick<InferenceRequest, 'input' | 'inputs' | 'nonce' | 'salt'>,
  engine: 'auto' | 'native' | 'snarkjs',
  onStage: (stage: string, wallMs: number) => void = () => undefined,
): Promise<LocalProof> {
  const description = await readDescription(folder);
  const inputs = readInputs(description, request);
  const session = await openSession(await readFile(join(folder, 'executed.onnx')), description.inputs);
  const started = performance.now();
  const outputs = (await session.run(inputs)).map((tensor) => outputJson(description, tensor));
  onStage('answer', performance.now() - started);
  await session.close();
  const salt =
    description.inputMode === 'committed' ? (request.salt ?? `0x${randomBytes(31).toString('hex')}`) : null;
  const prover = await loadProver(folder, description.modelId, await tableOf(folder), engine);
  const result: Proven | Refused = await prove(
    {
      inferenceId: 'local',
      modelId: description.modelId,
      folder,
      files: {},
      statement: offlineStatement(description, request.nonce),
      request: null,
      tensors: joinTensors(description.inputs, inputs),
      salt: salt ? Buffer.from(salt.slice(2), 'hex') : null,
      answered: outputs.filter(({ proven }) => proven),
      engine,
      selfTest: await selfTest(),
      runtimeVersion,
      threads: 0,
    },
    prover,
    onStage,
  );
  await prover.key.close();
  if (result.kind === 'refused') throw new Error(result.detail);
  return { receipt: result.receipt, salt, timings: result.timings, outputs };
}
