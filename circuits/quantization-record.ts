/**
 * What quantizing a float model cost, as its quantizer measured it. It travels in the metadata of the int8 file and from
 * there into the manifest, so that modelId binds it: nobody can show other figures for the same key.
 */
import { ModelRefused } from './errors.js';

export interface QuantizationRecord {
  /** SHA-256 of the float model's file, hex. */
  readonly floatModel: string;
  /** Samples on which both models answered. */
  readonly samples: number;
  /** Share of them on which both gave the same label, in millionths. */
  readonly agreementPpm: number;
  /** Shares of right labels, in millionths; absent without labels. */
  readonly floatAccuracyPpm?: number;
  readonly int8AccuracyPpm?: number;
}

export const RECORD_KEY = 'verinfer.quantization';

const FIELDS = ['samples', 'agreementPpm', 'floatAccuracyPpm', 'int8AccuracyPpm'] as const;
const PPM = 1_000_000;

export const toPpm = (share: number): number => Math.round(share * PPM);

/** The record of a file's metadata; undefined if it has none. Throws ModelRefused for one that cannot be read. */
export function recordOf(metadata: ReadonlyMap<string, string> | undefined): QuantizationRecord | undefined {
  const text = metadata?.get(RECORD_KEY);
  if (text === undefined) return undefined;
  const refuse = (what: string, expected: string, got: unknown): never => {
    throw new ModelRefused({ where: `metadata "${RECORD_KEY}"`, what, expected, got: String(got) });
  };
  let given: Partial<Record<string, unknown>> = {};
  try {
    given = JSON.parse(text) as typeof given;
  } catch {
    refuse('text', 'JSON', text.slice(0, 40));
  }
  const { floatModel, ...counts } = given;
  if (typeof floatModel !== 'string' || !/^[0-9a-f]{64}$/.test(floatModel))
    return refuse('floatModel', '64 hex digits', floatModel);
  for (const [name, value] of Object.entries(counts)) {
    if (!FIELDS.some((field) => field === name)) refuse('field', FIELDS.join(', '), name);
    const limit = name === 'samples' ? Number.MAX_SAFE_INTEGER : PPM;
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > limit)
      refuse(name, `an integer from 0 to ${limit}`, value);
  }
  if (counts['samples'] === undefined || counts['agreementPpm'] === undefined)
    refuse('fields', 'samples and agreementPpm', Object.keys(counts).join(', '));
  return { floatModel, ...(counts as Omit<QuantizationRecord, 'floatModel'>) };
}
