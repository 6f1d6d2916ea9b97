/** The prover's side of an operator: models of a folder, loaded when first asked for, recompiled and checked. */
import { existsSync } from 'node:fs';
import { InputRefused } from '../../circuits/errors.js';
import { check, type CompiledModel, type InferenceWitness } from '../../circuits/index.js';
import { contextSignal, type ContextFields } from '../../circuits/public-signals.js';
import { encodeProof } from '../../prover/codec.js';
import { folderOf, tableOf } from '../model-folder.js';
import { loadProver, type LoadedProver } from '../proving/loaded-prover.js';
import type { Opening } from './openings.js';

export interface MarketProof {
  /** Without the context. */
  readonly signals: readonly bigint[];
  /** 256 bytes. */
  readonly proof: Uint8Array;
}

export interface MarketProver {
  /** null for a model that this operator does not have. */
  rowCount(modelId: string): Promise<number | null>;
  open(modelId: string, opening: Opening, inputSignalCount: number): Promise<readonly bigint[]>;
  prove(opening: Opening, context: Omit<ContextFields, 'domain' | 'vkHash'>): Promise<MarketProof>;
  close(): Promise<void>;
}

export function marketProver(modelsFolder: string, engine: 'auto' | 'native' | 'snarkjs'): MarketProver {
  const loaded = new Map<string, Promise<LoadedProver>>();
  const load = (modelId: string): Promise<LoadedProver> => {
    const folder = folderOf(modelsFolder, modelId);
    const known =
      loaded.get(modelId) ?? tableOf(folder).then((table) => loadProver(folder, modelId, table, engine));
    loaded.set(modelId, known);
    known.catch(() => loaded.delete(modelId));
    return known;
  };
  return {
    async rowCount(modelId) {
      if (!/^0x[0-9a-f]{64}$/.test(modelId) || !existsSync(folderOf(modelsFolder, modelId))) return null;
      return (await load(modelId)).compiled.r1cs.constraintCount;
    },
    async open(modelId, opening, inputSignalCount) {
      return openedSignals((await load(modelId)).compiled, opening, inputSignalCount);
    },
    async prove(opening, fields) {
      const { compiled, key, identity } = await load(fields.modelId);
      const ctx = contextSignal({ ...fields, domain: 'verinfer/settlement/v1', vkHash: identity.vkHash });
      const { witness, publicSignals } = witnessOf(compiled, opening, ctx);
      return { signals: publicSignals.slice(1), proof: encodeProof(await key.prove(witness)) };
    },
    async close() {
      for (const prover of loaded.values())
        await prover.then(({ key }) => key.close()).catch(() => undefined);
    },
  };
}

/**
 * The input signals that an opening leads to. Whoever acknowledges it may lock collateral, so everything is asked here
 * that could keep a fulfilment from being accepted: an input without an answer has no proof (a division by 0, an index
 * outside its table), and terms that count outputs among the inputs leave none. Throws InputRefused.
 */
export function openedSignals(
  compiled: CompiledModel,
  opening: Opening,
  inputSignalCount: number,
): readonly bigint[] {
  const { inputMode, inputs } = compiled.manifest;
  const count = inputMode === 'committed' ? 1 : inputs.reduce((sum, tensor) => sum + tensor.signalCount, 0);
  if (inputSignalCount !== count)
    throw new InputRefused({
      where: 'terms',
      what: 'inputSignalCount',
      expected: `${count}`,
      got: `${inputSignalCount}`,
    });
  compiled.reference(tensorsOf(opening));
  const { witness, publicSignals } = witnessOf(compiled, opening, 0n);
  const checked = check(compiled.r1cs, witness, { labels: compiled.labels });
  if (!checked.ok)
    throw new InputRefused({
      where: 'input',
      what: 'proof',
      expected: 'possible',
      got: `none (${checked.label})`,
    });
  return publicSignals.slice(1, 1 + count);
}

const tensorsOf = ({ inputs }: Opening): Map<string, Int32Array> =>
  new Map(Object.entries(inputs).map(([name, values]) => [name, Int32Array.from(values)]));

const witnessOf = (compiled: CompiledModel, opening: Opening, ctx: bigint): InferenceWitness =>
  compiled.computeWitness({ inputs: tensorsOf(opening), ctx, salt: BigInt(opening.salt) });
