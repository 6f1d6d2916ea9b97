/** An inference's input from a file, in any form an auditor may have it. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
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
 * hold integers: they become what quantizes to them. Throws ZodError for a request that is none, UnreadableSubject for
 * a receipt without its opening.
 */
export async function readInputFile(path: string, manifest: Manifest): Promise<GivenInput> {
  const bytes = await readFile(path);
  const value = parseJson(bytes);
  const named = z.record(z.string(), z.array(z.number())).safeParse(value);
  if (named.success) return { inputs: byName(Object.entries(named.data)) };
  const opened = openingSchema.safeParse(value);
  if (opened.success) return fromOpening(opened.data, manifest);
  if (z.object({ statement: z.object({}) }).safeParse(value).success) {
    const { opening } = parseReceipt(bytes);
    if (opening) return fromOpening(opening, manifest);
    throw new UnreadableSubject(path, "the client's copy of a receipt", 'one without the input');
  }
  return inferenceRequest.parse(value);
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
