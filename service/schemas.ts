/** Shapes of the API, once: they validate requests, type the handlers and become the OpenAPI document. */
import { z } from 'zod';

export const hex32 = z.string().regex(/^0x[0-9a-f]{64}$/, 'must be 0x and 64 lower-case hex digits');
export const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, 'must be 0x and 40 hex digits');
export const saltText = z
  .string()
  .regex(/^0x[0-9a-f]{62}$/, 'must be 0x and 62 lower-case hex digits (248 bits)');
export const modelRef = z
  .string()
  .regex(/^(0x[0-9a-f]{64}|[a-z0-9][a-z0-9._-]{0,63})$/, 'must be a model id or a model name')
  .meta({ description: 'modelId, or the name of the newest model of that name', example: 'lenet5' });
export const inferenceId = z.string().regex(/^inf_[0-9a-f]{32}$/, 'must be an inference id');
export const batchId = z.string().regex(/^bat_[0-9a-f]{32}$/, 'must be a batch id');

export const setupClass = z.enum(['dev-single-party', 'ceremony']);
export const settlementChoice = z.enum(['none', 'onchain', 'batched']);
export const inferenceState = z.enum(['answered', 'proving', 'proven', 'submitted', 'settled', 'failed']);

const shape = z
  .array(
    z
      .number()
      .int()
      .min(0)
      .max(2 ** 31 - 1),
  )
  .max(16);
export const tensorBody = z
  .union([
    z.strictObject({
      shape: shape.optional(),
      dtype: z.string().max(16).optional(),
      data: z.array(z.number()).max(2_000_000),
    }),
    z.strictObject({
      shape: shape.optional(),
      dtype: z.string().max(16).optional(),
      base64: z.string().max(64_000_000),
    }),
  ])
  .meta({
    id: 'TensorInput',
    description:
      'One tensor: row-major numbers, or the little-endian bytes in base64. Shape and dtype may be left out; given, they must be the model’s.',
  });

const choices = {
  settlement: settlementChoice.default('none').meta({
    description:
      'none: the proof stays here. onchain: its own transaction. batched: shares a transaction with others.',
  }),
  salt: saltText.optional().meta({
    description: 'Blinds the input commitment. Left out, the server draws one and returns it once.',
  }),
  nonce: hex32
    .optional()
    .meta({ description: 'The request id that the proof is bound to when settlement is none.' }),
  requester: address
    .optional()
    .meta({ description: 'Who asks, in settlements on chain; the operator when left out.' }),
  payee: address.optional().meta({ description: 'Who is credited; the operator when left out.' }),
  deadline: z
    .number()
    .int()
    .min(1)
    .max(253402300799)
    .optional()
    .meta({ description: 'Unix seconds after which the contract refuses the settlement.' }),
  minimumSetupClass: setupClass
    .optional()
    .meta({ description: 'Refuse the model when its setup is weaker.' }),
  retentionMs: z
    .number()
    .int()
    .min(1000)
    .max(30 * 86_400_000)
    .optional()
    .meta({ description: 'The private input is erased after the proof, and after this time at the latest.' }),
};

export const inferenceRequest = z
  .strictObject({
    input: tensorBody.optional().meta({ description: 'The input of a model with one input.' }),
    inputs: z.record(z.string().max(256), tensorBody).optional().meta({ description: 'Inputs by name.' }),
    ...choices,
  })
  .meta({ id: 'InferenceRequest' });
export type InferenceRequest = z.infer<typeof inferenceRequest>;

/** What still settles in one transaction: within the gas a settler may spend, and within the size nodes pass on. */
const largestBatch = 128;

export const batchRequest = z
  .strictObject({
    items: z
      .array(
        z.strictObject({
          input: tensorBody.optional(),
          inputs: z.record(z.string().max(256), tensorBody).optional(),
          salt: saltText.optional(),
          nonce: hex32.optional(),
        }),
      )
      .min(1)
      .max(largestBatch),
    ...(Object.fromEntries(
      Object.entries(choices).filter(([name]) => name !== 'salt' && name !== 'nonce'),
    ) as Omit<typeof choices, 'salt' | 'nonce'>),
  })
  .meta({ id: 'BatchRequest' });
export type BatchRequest = z.infer<typeof batchRequest>;

export const tensorSpec = z
  .object({ name: z.string(), dtype: z.string(), shape: z.array(z.number().int()) })
  .meta({ id: 'TensorSpec' });
export const outputTensor = z
  .object({
    name: z.string(),
    dtype: z.string(),
    shape: z.array(z.number().int()),
    data: z.array(z.number()),
    proven: z.boolean().meta({
      description: 'true: the integers the proof speaks about. false: computed from them outside the proof.',
    }),
  })
  .meta({ id: 'OutputTensor' });

export const inference = z
  .object({
    id: inferenceId,
    modelId: hex32,
    batchId: batchId.nullable(),
    state: inferenceState,
    settlement: settlementChoice,
    outputs: z.array(outputTensor),
    statement: z
      .record(z.string(), z.string())
      .meta({ description: 'The fields of ctx, as the proof binds them.' }),
    salt: saltText.optional().meta({
      description:
        'Only in the reply that created the inference, and in its replays until the proof is made.',
    }),
    units: z.number().int(),
    timings: z.record(z.string(), z.number()).meta({ description: 'Milliseconds by stage.' }),
    settled: z.record(z.string(), z.unknown()).nullable(),
    error: z.object({ code: z.string(), detail: z.string() }).nullable(),
    createdAt: z.string(),
    provenAt: z.string().nullable(),
    settledAt: z.string().nullable(),
  })
  .meta({ id: 'Inference' });

export const model = z
  .object({
    id: hex32,
    name: z.string(),
    owned: z.boolean(),
    frozen: z.boolean(),
    createdAt: z.string(),
    setup: z.object({ class: setupClass, contributorCount: z.number().int(), warning: z.string() }),
    inputs: z.array(tensorSpec),
    outputs: z.array(tensorSpec),
    inputMode: z.enum(['committed', 'public']),
    outputMode: z.enum(['packed', 'commitment', 'label']),
    rowCount: z.number().int(),
    units: z.number().int(),
  })
  .meta({ id: 'Model' });

export const modelDetail = model
  .extend({
    identity: z.record(z.string(), z.unknown()),
    manifest: z.record(z.string(), z.unknown()),
    wireCount: z.number().int(),
    publicCount: z.number().int(),
    layers: z.array(
      z.object({ name: z.string(), type: z.string(), rows: z.number().int(), wires: z.number().int() }),
    ),
    executedHash: z.string(),
    agreement: z.record(z.string(), z.unknown()).nullable(),
    notes: z.array(z.string()),
    files: z.record(z.string(), z.object({ sha256: z.string(), sizeBytes: z.number().int() })),
    verifyingKey: z.record(z.string(), z.unknown()).optional(),
    samples: z
      .array(z.object({ label: z.number().int(), values: z.array(z.number()) }))
      .nullable()
      .meta({ description: 'Inputs to try, for the models of this repository' }),
  })
  .meta({ id: 'ModelDetail' });

export const page = <T extends z.ZodType>(item: T) =>
  z.object({ data: z.array(item), nextCursor: z.string().nullable() });
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string(),
    instance: z.string(),
    issues: z
      .array(z.object({ field: z.string(), expected: z.string(), got: z.string().optional() }))
      .optional(),
  })
  .meta({ id: 'Problem' });
