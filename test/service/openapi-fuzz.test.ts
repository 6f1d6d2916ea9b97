/** Every path and method of /openapi.json, with requests generated from its own schemas: the document says what comes back. */
import { Agent, request } from 'node:http';
import { homedir } from 'node:os';
import test from 'ava';
import { z } from 'zod';
import { createKey } from '../../service/keys.js';
import {
  casesOf,
  type Case,
  type DocumentedOperation,
  type OpenApiDocument,
  type Schema,
  type Sent,
} from '../support/openapi-cases.js';
import { mischief } from '../support/fake-thread.js';
import { random, seedFrom } from '../support/random.js';
import {
  addFakeModel,
  call,
  sampleDigit,
  startTestService,
  untilOver,
  type Json,
  type TestService,
} from '../support/service.js';

let service: TestService;
let key: string;
let document: OpenApiDocument;
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

test.before(async () => {
  service = await startTestService({
    environment: {
      VERINFER_REQUIRE_KEYS: 'true',
      VERINFER_MAX_BODY_BYTES: '65536',
      VERINFER_MAX_MODEL_BYTES: '4096',
      VERINFER_RATE_PER_MINUTE: '1000000',
      VERINFER_WEBHOOK_PRIVATE: 'true',
    },
  });
  const { text } = await createKey(service.pool, {
    ...{ tenantId: 'fuzzing', name: 'fuzz', unitsPerDay: null, expiresAt: null },
    scopes: ['read', 'infer', 'upload', 'host'],
  });
  key = text;
  document = (await call(service.url, '/openapi.json')).body as OpenApiDocument;
});
test.after.always(async () => {
  agent.destroy();
  await service?.stop();
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

function send(method: string, path: string, { params, query, headers, body }: Sent): Promise<Answer> {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
  const search = query.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
  const given = Object.fromEntries([
    ...Object.entries(headers).filter(([, value]) => value !== ''),
    ...(body === undefined ? [] : [['Content-Length', String(Buffer.byteLength(body))]]),
  ]);
  return new Promise((resolve, reject) => {
    const sent = request(
      `${service.url}${filled}${search && `?${search}`}`,
      { method, agent, headers: given, timeout: 20_000 },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () =>
          resolve({ status: response.statusCode!, type: response.headers['content-type'] ?? '', text }),
        );
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new Error('no answer within 20 s')));
    sent.end(body);
  });
}

/** One that each operation takes. What it names is there: an inference, a batch, a webhook of this tenant. */
async function validRequests(): Promise<(id: string) => Promise<Sent>> {
  const headers = { Authorization: `Bearer ${key}` };
  const data = await sampleDigit();
  const post = async (path: string, body: object): Promise<Json> =>
    (await call(service.url, path, { body, headers })).body;
  const { id: inferenceId } = await post('/v1/models/digits8x8/inferences', { input: { data } });
  await untilOver(service.url, inferenceId as string, 30_000, headers);
  const { id: batchId } = await post('/v1/models/digits8x8/batches', { items: [{ input: { data } }] });
  const upload = await fetch(`${service.url}/v1/models?name=first`, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/octet-stream' },
    body: 'junk',
  });
  const { id: installId } = (await upload.json()) as Json;
  // Its proof takes three seconds: time enough to cancel it.
  const slow = { input: { data: data.map((x, i) => (i === 0 ? mischief.slow : x)) } };
  await addFakeModel(service.pool, service.config.modelsFolder, 'fuzzing', 'freezable');
  const model = (await call(service.url, '/v1/models/digits8x8', { headers })).body;
  // Nobody listens there: what is delivered is refused at once.
  const hook = { url: 'http://127.0.0.1:9/hook' };
  const bodies: Record<string, object> = {
    createInference: { input: { data } },
    createBatch: { items: [{ input: { data } }] },
    createQuote: { model: 'digits8x8' },
    createWebhook: hook,
  };
  return async (id) => {
    const body = bodies[id];
    return {
      params: {
        ...{ batchId, installId },
        inferenceId:
          id === 'cancelInference' ? (await post('/v1/models/digits8x8/inferences', slow)).id : inferenceId,
        modelId: id === 'freezeModel' ? 'freezable' : 'digits8x8',
        webhookId: /Webhook$/.test(id) && !body ? (await post('/v1/webhooks', hook)).id : '',
        sha256:
          Object.values(model.files as Record<string, { sha256: string }>)[0]?.sha256.slice(-64) ??
          'a'.repeat(64),
      },
      query: id === 'uploadModel' ? [['name', 'fuzz']] : [],
      headers: {
        ...headers,
        ...(id === 'uploadModel' ? { 'Content-Type': 'application/octet-stream' } : {}),
        ...(body ? { 'Content-Type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : id === 'uploadModel' ? { body: 'junk' } : {}),
    };
  };
}

/** The document's schema as something that judges. */
const judge = (schema: Schema): z.ZodType => {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
  return z.fromJSONSchema(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as never);
};

/** What an answer must never hold. */
const inside = (): RegExp =>
  new RegExp(
    [
      ...[process.cwd(), service.config.dataFolder, homedir(), service.databaseUrl].map((text) =>
        text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      ),
      ...[
        'node_modules',
        'node:internal',
        '\\.js:\\d+',
        '\\bat \\S+ \\(',
        'ECONN',
        'select .+ from ',
        'ZodError',
      ],
    ].join('|'),
  );

/** Null when the answer is as the document says. */
function fault(
  operation: DocumentedOperation,
  { sent, value }: Case,
  answer: Answer,
  leak: RegExp,
): string | null {
  const { status, type, text } = answer;
  const documented = operation.responses[status];
  if (!documented) return `status ${status} is not documented: ${text.slice(0, 200)}`;
  const types = Object.keys(documented.content ?? {});
  const found = types.find((each) => type.startsWith(each.split(';')[0]!));
  if (types.length > 0 && !found) return `status ${status}: type must be one of ${types.join()}, got ${type}`;
  if (types.length === 0 && text !== '') return `status ${status}: must be empty, got ${text.slice(0, 80)}`;
  if (found?.endsWith('json')) {
    const schema = documented.content![found]!.schema;
    const verdict = schema && judgeOf(schema).safeParse(JSON.parse(text));
    if (verdict && !verdict.success)
      return `status ${status}: ${JSON.stringify(verdict.error.issues[0])} in ${text.slice(0, 200)}`;
  }
  const leaked = leak.exec(text);
  // The reference page and the metrics are made of our own words; answers to a client are not.
  if (leaked && status >= 400) return `tells of the inside: ${leaked[0]}`;
  const json = operation.requestBody?.content['application/json']?.schema;
  if (
    value !== undefined &&
    json &&
    status < 300 &&
    !judgeOf(json).safeParse(JSON.parse(String(sent.body))).success
  )
    return `status ${status} for a body that the document forbids`;
  return null;
}

const judges = new Map<Schema, z.ZodType>();
function judgeOf(schema: Schema): z.ZodType {
  const known = judges.get(schema) ?? judge(schema);
  judges.set(schema, known);
  return known;
}

test.serial(
  'A15 requests generated from the OpenAPI document get what it says, and nothing of the inside',
  async (t) => {
    t.timeout(600_000);
    const draw = random(seedFrom(t.log.bind(t)));
    const valid = await validRequests();
    const leak = inside();
    const faults: string[] = [];
    const statuses = new Map<number, number>();
    const succeeded = new Set<string>();
    let count = 0;
    const all = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    for (const { path, method, operation } of all) {
      const cases = casesOf(document, operation, await valid(operation.operationId), draw);
      for (const { in: place, name } of operation.parameters ?? [])
        t.true(
          cases.some(({ what }) => what.startsWith(`${place}.${name} = `)),
          `${operation.operationId}: ${place}.${name} has cases`,
        );
      t.is(
        cases.some(({ what }) => what.startsWith('body')),
        method === 'post' && operation.requestBody !== undefined,
      );
      const waiting = [...cases];
      const work = async (): Promise<void> => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          const answer = await send(method.toUpperCase(), path, next.sent);
          count++;
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          if (answer.status < 300) succeeded.add(operation.operationId);
          const wrong = fault(operation, next, answer, leak);
          if (wrong !== null) faults.push(`${operation.operationId}, ${next.what}: ${wrong}`);
        }
      };
      // The valid request first and alone: some of the others take away what it names.
      waiting.length = 1;
      await work();
      waiting.push(...cases.slice(1));
      await Promise.all(Array.from({ length: 8 }, work));
    }
    const summary = [...statuses].sort(([a], [b]) => a - b).map(([status, n]) => `${n} × ${status}`);
    t.log(`${count} requests to ${all.length} operations: ${summary.join(', ')}`);
    t.deepEqual(faults.slice(0, 40), [], `${faults.length} answers were not as documented`);
    const never = all.map(({ operation }) => operation.operationId).filter((id) => !succeeded.has(id));
    t.deepEqual(never, [], 'every operation was asked for what it gives');
    t.is((await call(service.url, '/healthz')).status, 200);
  },
);
