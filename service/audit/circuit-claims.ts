/** Claims about the model's circuit and key, checked by compiling, running and proving again. */
import { createHash } from 'node:crypto';
import { InputRefused } from '../../circuits/errors.js';
import { type CompiledModel, compile, type IntegerTensors, type Manifest } from '../../circuits/index.js';
import { type ImportedModel, importModel } from '../../circuits/import/import.js';
import { compilerVersionHash } from '../../circuits/model-id.js';
import { r1csDigest } from '../../circuits/r1cs/file.js';
import { checkUniqueness } from '../../circuits/r1cs/uniqueness.js';
import { elementCount } from '../../circuits/tensor.js';
import { vkHash } from '../../prover/codec.js';
import { selectEngine } from '../../prover/index.js';
import type { VerifyingKey } from '../../prover/keys.js';
import { verify } from '../../prover/verify.js';
import type { Ledger } from '../verifier/ledger.js';
import { manifestDigest } from '../verifier/receipt.js';
import type { Opening, Receipt } from '../verifier/schema.js';
import { executedModelOf } from '../executed-model.js';
import { firstDivergence, traceReference, traceRuntime } from './replay.js';
import type { AuditSubject } from './subject.js';

export type NamedModel = NonNullable<AuditSubject['model']>;

export interface Built {
  readonly imported: ImportedModel;
  readonly compiled: CompiledModel;
}

export function checkCircuit(
  ledger: Ledger,
  { onnx }: AuditSubject,
  { model, manifest }: NamedModel,
  receipt: Receipt | undefined,
): Built | undefined {
  const claims = {
    onnx: 'the ONNX file is the one in the model id',
    circuit: 'the circuit is what this model compiles to',
    manifest: 'the manifest is what the compiler writes',
    executed: 'ONNX Runtime ran this model, rewritten to integer operators',
    uniqueness: 'the inputs fix every output of the circuit',
  };
  if (onnx === undefined) {
    for (const [id, claim] of Object.entries(claims))
      ledger.unknown(id === 'manifest' ? 'manifest-recompiled' : id, claim, 'no ONNX file at hand');
    return undefined;
  }
  ledger.equal('onnx', claims.onnx, 'SHA-256', () => [sha256(onnx), model.modelHash]);
  if (model.compilerVersion !== compilerVersionHash()) {
    const why = `made by another compiler release (${model.compilerVersion.slice(0, 18)}…): run that one`;
    ledger.unknown('circuit', claims.circuit, why);
    ledger.unknown('manifest-recompiled', claims.manifest, why);
    return undefined;
  }
  const built = ledger.value('compiles', 'the model compiles', 'compiled again', () => {
    const imported = importModel(onnx);
    const { inputMode, outputMode } = manifest as unknown as Manifest;
    return { imported, compiled: compile(imported.graph, { inputMode, outputMode }) };
  });
  if (built === undefined) return undefined;
  ledger.equal('circuit', claims.circuit, 'compiled again, SHA-256 of the R1CS', () => [
    r1csDigest(built.compiled.r1cs),
    model.circuitHash,
  ]);
  ledger.equal('manifest-recompiled', claims.manifest, 'compiled again', () => [
    manifestDigest(JSON.parse(JSON.stringify(built.compiled.manifest))),
    model.manifestDigest,
  ]);
  if (receipt) {
    ledger.equal('executed', claims.executed, 'rewritten again, SHA-256', () => {
      const { executed } = executedModelOf(onnx, () =>
        built.compiled.manifest.outputs.map(({ name }) => name),
      );
      return [sha256(executed), receipt.executed.graphHash];
    });
  }
  ledger.ensure('uniqueness', claims.uniqueness, 'propagation over the constraints alone', () => {
    const { ok, undetermined } = checkUniqueness(built.compiled.r1cs, {
      givenWires: built.compiled.givenWires,
    });
    return ok
      ? undefined
      : `${undetermined.length} wires are not shown to be determined, first ${undetermined[0]}`;
  });
  return built;
}

export async function checkRun(
  ledger: Ledger,
  receipt: Receipt | undefined,
  opening: Opening | null | undefined,
  built: Built | undefined,
): Promise<void> {
  const claims = {
    runtime: 'ONNX Runtime on this machine gives the outputs of the receipt',
    reference: 'the integer reference gives the outputs of the receipt',
  };
  const why =
    built === undefined
      ? 'the model was not compiled'
      : "needs the input: the client's copy of a receipt, or --opening";
  if (built === undefined || !receipt || !opening) {
    for (const [id, claim] of Object.entries(claims)) ledger.unknown(id, claim, why);
    return;
  }
  const { imported, compiled } = built;
  const inputs = new Map(opening.inputs.map(({ name, values }) => [name, Int32Array.from(values)]));
  const sameOutputs = (outputs: ReadonlyMap<string, ArrayLike<number | bigint>>): string | undefined => {
    for (const { name, values } of receipt.outputs) {
      const got = outputs.get(name);
      const at = values.findIndex((value, i) => Number(got?.[i]) !== value);
      if (at >= 0) return `${name}[${at}]: receipt ${values[at]}, here ${got?.[at]}`;
    }
    return undefined;
  };
  ledger.ensure('reference', claims.reference, 'run again on plain integers', () =>
    sameOutputs(compiled.reference(inputs)),
  );
  try {
    const trace = await traceRuntime(imported, compiled.manifest, inputs);
    const difference = sameOutputs(new Map(trace.map(({ name, values }) => [name, values])));
    const parting = difference && firstDivergence(traceReference(imported, inputs), trace);
    const where = parting ? `; the runs part at ${parting.node}` : '';
    ledger.add(
      'runtime',
      claims.runtime,
      'run again',
      difference ? 'fail' : 'pass',
      difference && `${difference}${where}`,
    );
  } catch (error) {
    ledger.unknown('runtime', claims.runtime, error instanceof Error ? error.message : 'ONNX Runtime failed');
  }
}

export async function checkKey(
  ledger: Ledger,
  { zkeyPath, verifyingKey }: AuditSubject,
  receipt: Receipt | undefined,
  model: Receipt['model'],
  built: Built | undefined,
): Promise<void> {
  const claim = 'the proving key proves this circuit under this verifying key';
  if (zkeyPath === undefined || built === undefined) {
    ledger.unknown(
      'key-circuit',
      claim,
      zkeyPath === undefined ? 'no proving key at hand' : 'the model was not compiled',
    );
    return;
  }
  const inputs = sampleInputs(built.compiled, receipt?.opening);
  if (inputs === undefined)
    return ledger.unknown(
      'key-circuit',
      claim,
      "no input with an answer: the client's copy of a receipt holds one",
    );
  await ledger.attemptAsync('key-circuit', claim, 'a proof made here', async () => {
    const { engine } = await selectEngine();
    const key = await engine.loadKey(zkeyPath);
    try {
      if (vkHash(key.verifyingKey) !== model.vkHash)
        throw new Error('the proving key belongs to another verifying key');
      const { witness, publicSignals } = built.compiled.computeWitness({ inputs, ctx: 1n, salt: 1n });
      const own: VerifyingKey = verifyingKey ?? key.verifyingKey;
      return await verify(own, publicSignals, await key.prove(witness));
    } finally {
      await key.close();
    }
  });
}

/**
 * The receipt's own input where it is open, else one of equal numbers that has an answer (zeros may have none, as
 * divisors): any input with a proof shows that key and circuit belong together. Undefined where none was found.
 */
export function sampleInputs(
  compiled: CompiledModel,
  opening: Opening | null | undefined,
): IntegerTensors | undefined {
  if (opening) return new Map(opening.inputs.map(({ name, values }) => [name, Int32Array.from(values)]));
  for (const value of [0, 1, 2, -1]) {
    const inputs = new Map(
      compiled.manifest.inputs.map(
        ({ name, shape }) => [name, new Int32Array(elementCount(shape)).fill(value)] as const,
      ),
    );
    try {
      compiled.reference(inputs);
      return inputs;
    } catch (error) {
      if (!(error instanceof InputRefused)) throw error;
    }
  }
  return undefined;
}

const sha256 = (bytes: Uint8Array): string => `0x${createHash('sha256').update(bytes).digest('hex')}`;
