/** The prover's side of an operator: models of a folder, loaded when first asked for, recompiled and checked. */
import { existsSync } from 'node:fs';
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
  const statementOf = async (modelId: string, { inputs, salt }: Opening, ctx: bigint) => {
    const { compiled } = await load(modelId);
    const tensors = new Map(Object.entries(inputs).map(([name, values]) => [name, Int32Array.from(values)]));
    return compiled.computeWitness({ inputs: tensors, ctx, salt: BigInt(salt) });
  };
  return {
    async rowCount(modelId) {
      if (!/^0x[0-9a-f]{64}$/.test(modelId) || !existsSync(folderOf(modelsFolder, modelId))) return null;
      return (await load(modelId)).compiled.r1cs.constraintCount;
    },
    async open(modelId, opening, inputSignalCount) {
      return (await statementOf(modelId, opening, 0n)).publicSignals.slice(1, 1 + inputSignalCount);
    },
    async prove(opening, fields) {
      const { key, identity } = await load(fields.modelId);
      const ctx = contextSignal({ ...fields, domain: 'verinfer/settlement/v1', vkHash: identity.vkHash });
      const { witness, publicSignals } = await statementOf(fields.modelId, opening, ctx);
      return { signals: publicSignals.slice(1), proof: encodeProof(await key.prove(witness)) };
    },
    async close() {
      for (const prover of loaded.values())
        await prover.then(({ key }) => key.close()).catch(() => undefined);
    },
  };
}
