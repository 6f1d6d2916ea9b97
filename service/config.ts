import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';

const count = (fallback: number, least = 0, most = Number.MAX_SAFE_INTEGER) =>
  z.coerce
    .number({ error: 'must be a whole number' })
    .int('must be a whole number')
    .min(least, `must be at least ${least}`)
    .max(most, `must be at most ${most}`)
    .default(fallback);
const flag = z.stringbool().default(false);
const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  );

/** Every setting of the service: one environment variable each. docs/configuration.md is printed from here, with the `why`. */
export const variables = z.object({
  VERINFER_DATA: z
    .string()
    .default('.data')
    .describe('Folder of the embedded database, model artifacts and keys.')
    .meta({ why: 'One folder to back up and to remove.' }),
  VERINFER_MODELS: z
    .string()
    .optional()
    .describe('Folder of model artifacts, content-addressed. Default: models in VERINFER_DATA.')
    .meta({
      why: 'Artifacts are content-addressed, so several data folders, or a demo and a service, may share them.',
    }),
  DATABASE_URL: z
    .string()
    .optional()
    .describe('PostgreSQL to use. Without it an embedded one is started in VERINFER_DATA.')
    .meta({ why: 'Embedded needs no installation; a server of your own takes many hosts.' }),
  VERINFER_HOST: z
    .string()
    .default('127.0.0.1')
    .describe('Address the API listens on.')
    .meta({ why: 'Nobody but this machine reaches a service that was started to be tried out.' }),
  VERINFER_PORT: count(8080).describe('Port the API listens on; 0 picks a free one.'),
  VERINFER_ENGINE: z
    .enum(['auto', 'native', 'snarkjs'])
    .default('auto')
    .describe('Proving engine; auto takes native where it built.')
    .meta({
      why: 'snarkjs is an order of magnitude slower: `native` refuses to start rather than fall back to it.',
    }),
  VERINFER_PROVERS: count(availableParallelism(), 1)
    .meta({ shown: 'number of cores' })
    .describe('Proofs at a time on this host, one thread each.')
    .meta({
      why: 'Proofs a second rise with threads up to the number of cores; latency of one proof does not fall.',
    }),
  VERINFER_PROVER_MEMORY_MB: count(6144, 256)
    .describe('Resident memory above which the prover process is killed and restarted.')
    .meta({
      why: "Neither Node's heap limit nor a container's sees native buffers in time; the watch on resident memory does.",
    }),
  VERINFER_PROVER_RECYCLE: count(2000, 1)
    .describe('Proofs after which the prover process is replaced by a fresh one.')
    .meta({ why: 'Bounds what a slow leak can grow to. A fresh process costs one load of the keys.' }),
  VERINFER_PROVER_NICE: count(19, 0, 19).describe('Niceness of the prover process, 0 to 19.').meta({
    why: 'Answers and the database go first on a machine that does both; with 0 a host of its own competes like any program.',
  }),
  VERINFER_PROOF_TIMEOUT_MS: count(300_000, 100)
    .describe('Deadline of one proof; past it the prover process is killed and the job fails.')
    .meta({
      why: 'A proof takes seconds; one that takes minutes hangs, and only the end of its process frees its thread.',
    }),
  VERINFER_LEASE_MS: count(8_000, 500)
    .describe('A host that has not renewed its lease for this long loses its jobs to others.')
    .meta({
      why: "Shorter: a dead host's jobs are taken over sooner. Longer: a host that is only slow keeps them.",
    }),
  VERINFER_RETENTION_MS: count(86_400_000, 1000)
    .describe('Longest time a private input is kept when its proof does not finish.')
    .meta({
      why: 'Private inputs are erased after the proof; this bounds the case in which there never is one.',
    }),
  VERINFER_REQUIRE_KEYS: flag
    .describe('Demand an API key on every /v1 call. Off is development mode, and /v1/trust says so.')
    .meta({ why: 'Trying the service out must not begin with making keys; serving others must.' }),
  VERINFER_CORS: list
    .describe('Origins that browsers may call from, comma separated.')
    .meta({ why: 'Empty: no page but the dashboard may call from a browser.' }),
  VERINFER_MAX_BODY_BYTES: count(1_048_576, 1024)
    .describe('Largest JSON body.')
    .meta({ why: 'A megabyte holds the input of every model that can be proved in seconds.' }),
  VERINFER_MAX_MODEL_BYTES: count(67_108_864, 1024)
    .describe('Largest uploaded ONNX file.')
    .meta({ why: "Bounds disk and the parser's time; weights of provable models are far smaller." }),
  VERINFER_MAX_QUEUE: count(100_000, 1)
    .describe('Unproven inferences a tenant may have; beyond it 429.')
    .meta({ why: 'Beyond it a queue only grows older; refusing is kinder.' }),
  VERINFER_MAX_CONNECTIONS: count(10_000, 1)
    .describe('Open sockets the API accepts.')
    .meta({ why: 'File descriptors are finite; the rest must go on being served.' }),
  VERINFER_RATE_PER_MINUTE: count(120_000, 1)
    .describe('Requests a minute from one address before 429.')
    .meta({ why: 'Stops one address from taking the event loop; real limits are cost units a key.' }),
  VERINFER_ADVERTISE: z
    .url()
    .optional()
    .describe('URL at which other hosts reach this API. Default: the address it listens on.')
    .meta({
      why: 'Other hosts fetch artifacts from it; behind a proxy or in a container it cannot know its own address.',
    }),
  VERINFER_ARTIFACT_ORIGIN: z
    .url()
    .optional()
    .describe('API host from which this host fetches artifacts it lacks, by SHA-256.')
    .meta({ why: 'A new prover host needs no copied files: it fetches and checks every hash.' }),
  VERINFER_ARTIFACT_KEY: z
    .string()
    .optional()
    .describe('API key used towards VERINFER_ARTIFACT_ORIGIN.')
    .meta({ why: 'Make it with the scope `host`.' }),
  VERINFER_WEBHOOK_PRIVATE: flag
    .describe('Let webhooks reach private addresses. For tests only.')
    .meta({ why: 'Otherwise a webhook is a way into your network (SSRF).' }),
  VERINFER_RPC_URL: z
    .string()
    .optional()
    .describe(
      'JSON-RPC of the chain; of several, comma separated, most must agree. Without it an embedded anvil.',
    )
    .meta({ why: 'A single endpoint can lie about what is settled.' }),
  VERINFER_FINALITY_DEPTH: count(12, 0)
    .describe('Blocks on top of a settlement before it counts as final.')
    .meta({ why: 'A settlement that a reorganisation can still undo is not called settled.' }),
  VERINFER_BATCH_COUNT: count(16, 1).describe('Proofs that settle together at once.').meta({
    why: 'Gas a proof falls quickly up to about sixteen, then slowly; all of a batch wait for the last.',
  }),
  VERINFER_BATCH_AGE_MS: count(10_000, 0)
    .describe('Longest time a proof waits for others to settle with.')
    .meta({ why: 'Bounds the wait of a lonely proof.' }),
  VERINFER_CHAIN_KEY_FILE: z
    .string()
    .optional()
    .describe(
      'Encrypted keystore of the key that settles, mode 0600; its passphrase on VERINFER_CHAIN_PASSPHRASE_FD. Plain on chain 31337 alone.',
    )
    .meta({ why: 'The settler alone reads it: never an argument, never an environment variable.' }),
  VERINFER_CHAIN_RETIRED_KEY_FILES: list
    .describe(
      'Keystores of keys that were rotated out, comma separated; their passphrases follow on the same descriptor, a line each.',
    )
    .meta({
      why: 'A proof names its operator, and a nonce who submits it: what was under way when the key was changed is signed and sent by the old one. Leave it some ether.',
    }),
  VERINFER_LOG: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('The least severe messages that are logged.')
    .meta({ why: 'No level logs inputs, outputs or secrets.' }),
});

export interface Config {
  readonly dataFolder: string;
  readonly modelsFolder: string;
  readonly databaseUrl: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly engine: 'auto' | 'native' | 'snarkjs';
  readonly proverCount: number;
  readonly proverMemoryBytes: number;
  readonly proverRecycle: number;
  readonly proverNice: number;
  readonly proofTimeoutMs: number;
  readonly leaseMs: number;
  readonly retentionMs: number;
  readonly requireKeys: boolean;
  readonly corsOrigins: readonly string[];
  readonly maxBodyBytes: number;
  readonly maxModelBytes: number;
  readonly maxQueue: number;
  readonly maxConnections: number;
  readonly ratePerMinute: number;
  readonly advertisedUrl: string | undefined;
  readonly artifactOrigin: string | undefined;
  readonly artifactKey: string | undefined;
  readonly webhookPrivate: boolean;
  readonly rpcUrl: string | undefined;
  readonly finalityDepth: number;
  readonly batchCount: number;
  readonly batchAgeMs: number;
  readonly chainKeyFile: string | undefined;
  readonly retiredKeyFiles: readonly string[];
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/** Thrown for an environment that does not fit `variables`; names the variable, never its value. */
export class ConfigRefused extends Error {
  override name = 'ConfigRefused';
}

export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const present = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = variables.safeParse(present);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new ConfigRefused(`environment: ${lines.join('; ')}`);
  }
  const e = parsed.data;
  return {
    dataFolder: resolve(e.VERINFER_DATA),
    modelsFolder: resolve(e.VERINFER_MODELS ?? `${e.VERINFER_DATA}/models`),
    databaseUrl: e.DATABASE_URL,
    host: e.VERINFER_HOST,
    port: e.VERINFER_PORT,
    engine: e.VERINFER_ENGINE,
    proverCount: e.VERINFER_PROVERS,
    proverMemoryBytes: e.VERINFER_PROVER_MEMORY_MB * 1048576,
    proverRecycle: e.VERINFER_PROVER_RECYCLE,
    proverNice: e.VERINFER_PROVER_NICE,
    proofTimeoutMs: e.VERINFER_PROOF_TIMEOUT_MS,
    leaseMs: e.VERINFER_LEASE_MS,
    retentionMs: e.VERINFER_RETENTION_MS,
    requireKeys: e.VERINFER_REQUIRE_KEYS,
    corsOrigins: e.VERINFER_CORS,
    maxBodyBytes: e.VERINFER_MAX_BODY_BYTES,
    maxModelBytes: e.VERINFER_MAX_MODEL_BYTES,
    maxQueue: e.VERINFER_MAX_QUEUE,
    maxConnections: e.VERINFER_MAX_CONNECTIONS,
    ratePerMinute: e.VERINFER_RATE_PER_MINUTE,
    advertisedUrl: e.VERINFER_ADVERTISE,
    artifactOrigin: e.VERINFER_ARTIFACT_ORIGIN,
    artifactKey: e.VERINFER_ARTIFACT_KEY,
    webhookPrivate: e.VERINFER_WEBHOOK_PRIVATE,
    rpcUrl: e.VERINFER_RPC_URL,
    finalityDepth: e.VERINFER_FINALITY_DEPTH,
    batchCount: e.VERINFER_BATCH_COUNT,
    batchAgeMs: e.VERINFER_BATCH_AGE_MS,
    chainKeyFile: e.VERINFER_CHAIN_KEY_FILE,
    retiredKeyFiles: e.VERINFER_CHAIN_RETIRED_KEY_FILES,
    logLevel: e.VERINFER_LOG,
  };
}
