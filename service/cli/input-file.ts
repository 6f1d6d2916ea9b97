/** An inference's input from a file, in any form an auditor may have it. */
import { readFile } from 'node:fs/promises';
import type { Manifest } from '../../circuits/index.js';
import { runtimeInputs } from '../audit/replay.js';
import { UnreadableSubject } from '../audit/bundle.js';
import { parseJson } from '../json.js';
import { inferenceRequest, type InferenceRequest } from '../schemas.js';
import { parseReceipt } from '../verifier/receipt.js';
import { type Opening, opening as openingSchema } from '../verifier/schema.js';

export const inputForms =
  'JSON: as POST /v1/models/{id}/inferences takes it, numbers by input name, or the client’s copy of a receipt';

export type GivenInput = Pick<InferenceRequest, 'input' | 'inputs' | 'nonce' | 'salt'>;

/**
 * A request; an object of arrays by input name; an opening `{ inputs, salt }`; or a receipt that carries one. Openings
 * hold integers: they become what quantizes to them. Throws UnreadableSubject for anything else.
 */
export async function readInputFile(path: string, manifest: Manifest): Promise<GivenInput> {
  const bytes = await readFile(path);
  const value = parseJson(bytes) as Record<string, unknown>;
  const request = inferenceRequest.safeParse(value);
  if (request.success) return request.data;
  const isByName = Object.values(value).every(
    (v) => Array.isArray(v) && v.every((x) => typeof x === 'number'),
  );
  if (isByName)
    return { inputs: byName(Object.entries(value).map(([name, data]) => [name, data as number[]])) };
  const opened = openingSchema.safeParse(value);
  if (opened.success) return fromOpening(opened.data, manifest);
  const receipt = value['statement'] === undefined ? undefined : parseReceipt(bytes);
  if (receipt?.opening) return fromOpening(receipt.opening, manifest);
  throw new UnreadableSubject(path, inputForms, receipt ? 'a receipt without its opening' : 'something else');
}

function fromOpening({ inputs, salt }: Opening, manifest: Manifest): GivenInput {
  const integers = new Map(inputs.map(({ name, values }) => [name, Int32Array.from(values)]));
  const given = Array.from(
    runtimeInputs(manifest, integers),
    ([name, values]) => [name, Array.from(values as ArrayLike<number | bigint>, Number)] as const,
  );
  return { inputs: byName(given), ...(salt !== null && { salt: salt as `0x${string}` }) };
}

const byName = (entries: readonly (readonly [string, number[]])[]): Record<string, { data: number[] }> =>
  Object.fromEntries(entries.map(([name, data]) => [name, { data }]));
