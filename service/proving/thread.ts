/** A proving thread: load (kept) → witness → prove → receipt, a straight line. */
import type { MessagePort } from 'node:worker_threads';
import type { Proven, Refused, Loaded, ProveJob, ThreadTask } from './protocol.js';
import { InputRefused } from '../../circuits/errors.js';
import { contextSignal } from '../../circuits/public-signals.js';
import { UnsatisfiedWitness } from '../../prover/index.js';
import { splitTensors } from '../inference/tensors.js';
import { ArtifactDamaged } from '../model-folder.js';
import { buildReceipt, encodeReceipt } from '../receipt.js';
import { loadProver, type LoadedProver } from './loaded-prover.js';
import { runtimeFacts } from './runtime-facts.js';

const provers = new Map<string, Promise<LoadedProver>>();

export default async function run({
  task,
  port,
}: {
  task: ThreadTask;
  port: MessagePort;
}): Promise<Proven | Refused | Loaded> {
  port.postMessage('started');
  const { job } = task;
  try {
    const prover = await load(job);
    if (task.type === 'load') return { kind: 'loaded', engine: prover.engine.name, reason: prover.reason };
    return await prove(task.job, prover, (stage, wallMs) => port.postMessage({ stage, wallMs }));
  } catch (error) {
    if (
      error instanceof ArtifactDamaged ||
      error instanceof UnsatisfiedWitness ||
      error instanceof InputRefused
    )
      return { kind: 'refused', code: 'prover-refused', detail: error.message };
    throw error;
  }
}

function load({
  modelId,
  folder,
  files,
  engine,
}: Pick<ProveJob, 'modelId' | 'folder' | 'files' | 'engine'>): Promise<LoadedProver> {
  let prover = provers.get(modelId);
  if (!prover) {
    prover = loadProver(folder, modelId, files, engine);
    provers.set(modelId, prover);
    prover.catch(() => provers.delete(modelId));
  }
  return prover;
}

export async function prove(
  job: ProveJob,
  prover: LoadedProver,
  onStage: (stage: string, wallMs: number) => void,
): Promise<Proven | Refused> {
  const { compiled, key, description, identity } = prover;
  const timings: Record<string, number> = {};
  const timed = (stage: string, since: number): void => {
    timings[stage] = Math.round((performance.now() - since) * 1000) / 1000;
    onStage(stage, timings[stage]);
  };
  const started = performance.now();
  const given = splitTensors(description.inputs, job.tensors);
  const inputs = compiled.quantizeInput(
    Object.fromEntries(
      [...given].map(([name, values]) => [name, Array.from(values as ArrayLike<number | bigint>, Number)]),
    ),
  );
  const { statement } = job;
  const ctx = contextSignal({
    domain: statement.domainTag,
    chainId: BigInt(statement.chainId),
    contract: statement.contract,
    requestId: statement.requestId,
    modelId: statement.modelId,
    vkHash: statement.vkHash,
    operator: statement.operator,
    payee: statement.payee,
    deadline: BigInt(statement.deadline),
  });
  const salt = job.salt ? BigInt(`0x${Buffer.from(job.salt).toString('hex')}`) : 0n;
  const { witness, publicSignals, outputs } = compiled.computeWitness({ inputs, ctx, salt });
  const difference = firstDifference(job, outputs);
  if (difference) return { kind: 'refused', code: 'answer-mismatch', detail: difference };
  timed('witness', started);
  const proving = performance.now();
  const proof = await key.prove(witness, { ...(job.threads > 0 ? { threads: job.threads } : {}), onStage });
  timed('prove', proving);
  const sealing = performance.now();
  const receipt = await buildReceipt({
    statement,
    request: job.request,
    model: { ...identity, setupClass: description.identity.setupClass },
    manifest: compiled.manifest,
    verifyingKey: prover.verifyingKey,
    proof,
    publicSignals,
    outputs: description.outputs.map(({ name, dtype, shape }) => ({
      name,
      dtype,
      shape,
      values: outputs.get(name)!,
    })),
    agreement: description.agreement,
    executed: {
      graphHash: description.executedHash,
      onnxruntime: job.runtimeVersion,
      selfTest: job.selfTest,
    },
    runtime: runtimeFacts(prover.engine.name),
    settlement:
      statement.domainTag === 'verinfer/offline/v1'
        ? { state: 'none' }
        : { state: 'pending', transactionHash: null },
  });
  const text = encodeReceipt(receipt);
  timed('receipt', sealing);
  return { kind: 'proven', receipt: text, engine: prover.engine.name, timings };
}

/** ONNX Runtime answered one thing; the integer reference must say the same, element for element. */
function firstDifference(job: ProveJob, outputs: ReadonlyMap<string, Int32Array>): string | null {
  for (const { name, data } of job.answered) {
    const proven = outputs.get(name);
    if (!proven || proven.length !== data.length)
      return `output "${name}": must have ${data.length} elements, got ${proven?.length ?? 'none'}`;
    const at = data.findIndex((value, i) => value !== proven[i]);
    if (at >= 0)
      return `output "${name}" element ${at}: must be ${data[at]} as ONNX Runtime answered, got ${proven[at]}`;
  }
  return job.answered.length === outputs.size
    ? null
    : `outputs: must be ${outputs.size} answered tensors, got ${job.answered.length}`;
}
