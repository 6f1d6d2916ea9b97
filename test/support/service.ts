/** A service in this process for tests: its own PostgreSQL in a temporary folder, API on a free port, faked or real proofs. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import { startApi, type Api } from '../../service/api.js';
import { readConfig, type Config } from '../../service/config.js';
import { createLog, type Logger } from '../../service/log.js';
import type { ModelDescription } from '../../service/model-description.js';
import { tableOf } from '../../service/model-folder.js';
import { startPostgres, type EmbeddedPostgres } from '../../service/postgres.js';
import { startProverHost, type ProverHost } from '../../service/prover-host.js';
import { addModel } from '../../service/store/models.js';
import { migrate } from '../../service/store/migrations.js';
import { openPool } from '../../service/store/pool.js';

/** A parsed body; tests read into it without ceremony. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Json = any;

export const fakeThread = fileURLToPath(new URL('./fake-thread.js', import.meta.url));

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'verinfer-test-'));
  // As root, PostgreSQL runs as another user, who must be able to pass through.
  await chmod(folder, 0o711);
  return folder;
}

export interface TestService {
  readonly config: Config;
  readonly pool: Pool;
  readonly databaseUrl: string;
  readonly postgres: EmbeddedPostgres;
  readonly api: Api;
  readonly url: string;
  readonly log: Logger;
  readonly modelId: string;
  prover: ProverHost | null;
  startProver(overrides?: Partial<Config>): Promise<ProverHost>;
  stop(): Promise<void>;
}

export interface TestServiceOptions {
  readonly environment?: Record<string, string>;
  readonly prover?: boolean;
}

export async function startTestService({
  environment = {},
  prover = true,
}: TestServiceOptions = {}): Promise<TestService> {
  const folder = await temporaryFolder();
  const config = readConfig({
    VERINFER_DATA: folder,
    VERINFER_PORT: '0',
    VERINFER_LOG: process.env['VERINFER_TEST_LOG'] ?? 'silent',
    VERINFER_PROVERS: '2',
    ...environment,
  });
  const log = createLog(config, 'test');
  const postgres = await startPostgres(folder, { syncInit: false });
  const pool = openPool(postgres.url, log, 16);
  await migrate(pool);
  const modelId = await addFakeModel(pool, config.modelsFolder);
  const startProver = (overrides: Partial<Config> = {}): Promise<ProverHost> =>
    startProverHost({
      config: { ...config, ...overrides },
      pool,
      log,
      threadModule: fakeThread,
      drainMs: 2_000,
    });
  const host = prover ? await startProver() : null;
  const api = await startApi({ config, pool, databaseUrl: postgres.url, log });
  const service: TestService = {
    config,
    pool,
    databaseUrl: postgres.url,
    postgres,
    api,
    url: api.url,
    log,
    modelId,
    prover: host,
    startProver,
    async stop() {
      await api.stop();
      await service.prover?.stop();
      await pool.end();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return service;
}

/** The digits8x8 model as far as answering goes, with made-up proving artifacts. Named `digits8x8`. */
export async function addFakeModel(
  pool: Pool,
  modelsFolder: string,
  tenantId: string | null = null,
  name = 'digits8x8',
): Promise<string> {
  const modelId = `0x${randomBytes(32).toString('hex')}`;
  const folder = join(modelsFolder, modelId);
  await mkdir(folder, { recursive: true });
  const bytes = await readFile(resolve('models/digits8x8/model.onnx'));
  const graph = loadGraph(bytes);
  const quantized = graph.nodes.find(({ outputs }) => outputs[0] === graph.outputs[0]!.name)!.inputs[0]!;
  const input = graph.inputs[0]!;
  const hash = `0x${'11'.repeat(32)}`;
  const description: ModelDescription = {
    modelId,
    name,
    identity: {
      modelHash: hash,
      circuitHash: hash,
      vkHash: hash,
      setupClass: 'dev-single-party',
      contributorCount: 1,
      transcriptDigest: hash,
      compilerVersion: hash,
      manifestDigest: hash,
    },
    manifest: {},
    inputs: [{ name: input.name, dtype: 'float32', shape: input.shape }],
    outputs: [{ name: quantized, dtype: 'int8', shape: graph.outputs[0]!.shape }],
    inputMode: 'committed',
    outputMode: 'packed',
    rowCount: 3_000,
    wireCount: 3_000,
    publicCount: 3,
    layers: [],
    executedHash: hash,
    agreement: null,
    notes: [],
  };
  await writeFile(join(folder, 'model.onnx'), bytes);
  await writeFile(join(folder, 'executed.onnx'), encodeGraph(graph, { observed: [quantized] } as never));
  for (const file of ['circuit.r1cs', 'key.zkey', 'vk.json', 'manifest.json', 'identity.json'])
    await writeFile(join(folder, file), '{}\n');
  await writeFile(join(folder, 'description.json'), JSON.stringify(description));
  await addModel(pool, tenantId, description, await tableOf(folder));
  return modelId;
}

/** A digit, from the committed samples. */
export async function sampleDigit(n = 0): Promise<number[]> {
  const { samples } = JSON.parse(await readFile(resolve('models/digits8x8/samples.json'), 'utf8')) as {
    samples: { x: number[] }[];
  };
  return samples[n % samples.length]!.x;
}

export async function call(
  url: string,
  path: string,
  options: { method?: string; body?: unknown; headers?: Record<string, string>; raw?: string } = {},
): Promise<{ status: number; body: Json; headers: Headers }> {
  const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const response = await fetch(url + path, {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...options.headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  let parsed: unknown = text;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Not every answer is JSON.
  }
  return { status: response.status, body: parsed, headers: response.headers };
}

/** Polls until the inference is over; throws after `timeoutMs`. */
export async function untilOver(
  url: string,
  id: string,
  timeoutMs = 30_000,
  headers: Record<string, string> = {},
): Promise<Json> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const { body } = await call(url, `/v1/inferences/${id}`, { headers });
    if (
      body.state === 'settled' ||
      body.state === 'failed' ||
      (body.state === 'proven' && body.settlement === 'none')
    )
      return body;
    if (Date.now() > end)
      throw new Error(`inference ${id}: must be over within ${timeoutMs} ms, got ${body.state}`);
    await new Promise((done) => setTimeout(done, 30));
  }
}
