import test from 'ava';
import { createServer, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { InputBoundary } from '../../circuits/boundary.js';
import { quantizeInputs } from '../../circuits/inputs.js';
import type { Manifest } from '../../circuits/manifest.js';
import {
  ApiProblem,
  Client,
  MissingChain,
  MissingPin,
  openingOf,
  UnprovenAnswer,
} from '../../service/client/index.js';
import { encodeReceipt } from '../../service/receipt.js';
import { verifyReceipt } from '../../service/verifier/index.js';
import { type ProvenModel, proveModel, proveReceipt } from '../support/proven-model.js';
import { random } from '../support/random.js';

/** A service of one model that proves honestly, unless a test tells it to lie or to stumble. */
interface StagedService {
  readonly url: string;
  readonly requests: { path: string; idempotencyKey: string | undefined; body: Record<string, never> }[];
  /** Replies to give before the honest one. */
  stumbles: { status: number; headers?: Record<string, string> }[];
  lie: (receipt: string, outputs: number[]) => { receipt: string; outputs: number[] };
}

let folder: string;
let model: ProvenModel;
let server: Server;
let service: StagedService;

test.before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'verinfer-client-'));
  model = await proveModel('models/digits8x8/model.onnx', path.join(folder, 'models'));
  ({ server, service } = await stageService());
});
test.after.always(async () => {
  server.close();
  server.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
});
test.beforeEach(() => {
  service.stumbles = [];
  service.lie = (receipt, outputs) => ({ receipt, outputs });
  service.requests.length = 0;
});

const image = Float32Array.from({ length: 64 }, (_, i) => (i % 16) / 16);

test.serial('infer gives the answer and a proof that is verified here', async (t) => {
  const client = new Client({ url: service.url, pins: { digits: model.modelId } });
  const states: string[] = [];
  const inference = await client.infer('digits', image, { onState: (state) => states.push(state) });
  t.is(inference.outputs[0].data.length, 10);
  const { verdict, receipt, ownReceipt, opening } = await inference.proof;
  const { requestId } = JSON.parse(receipt).statement;
  t.true((await verifyReceipt(ownReceipt, { modelId: model.modelId, requestId })).valid);
  t.true(verdict?.valid && verdict.verifiedOffline);
  t.is(verdict?.checks.find(({ id }) => id === 'input')?.status, 'pass');
  t.is(opening.inputs[0].values.length, 64);
  t.true(receipt.startsWith('{"agreement"'));
  t.deepEqual(states, ['answered', 'proven']);
});

test.serial("a name without a pin is refused; with verify off it is the service's word", async (t) => {
  const client = new Client({ url: service.url });
  await t.throwsAsync(client.infer('digits', image), { instanceOf: MissingPin });
  const inference = await client.infer('digits', image, { verify: false });
  t.is((await inference.proof).verdict, undefined);
  t.true((await (await client.infer(model.modelId, image)).proof).verdict?.valid);
});

test.serial('an answer, a receipt or an input that is not the proven one rejects the proof', async (t) => {
  const client = new Client({ url: service.url, pins: { digits: model.modelId } });
  service.lie = (receipt, outputs) => ({ receipt, outputs: outputs.with(0, outputs[0] + 1) });
  await t.throwsAsync((await client.infer('digits', image)).proof, {
    instanceOf: UnprovenAnswer,
    message: /outputs/,
  });
  service.lie = (receipt, outputs) => ({
    // another digit, whatever stood there
    receipt: receipt.replace(
      /("proof":"0x[0-9a-f]{60})(.)/,
      (_, start: string, digit: string) => start + (digit === '0' ? '1' : '0'),
    ),
    outputs,
  });
  await t.throwsAsync((await client.infer('digits', image)).proof, { instanceOf: UnprovenAnswer });
  service.lie = (receipt, outputs) => ({ receipt, outputs });
  const brighter = image.map((value) => value + 0.25);
  const honest = await client.infer('digits', image);
  const otherInput = await client.infer('digits', brighter);
  t.true((await honest.proof).verdict?.valid && (await otherInput.proof).verdict?.valid);
  const other = new Client({ url: service.url, pins: { digits: `0x${'1'.repeat(64)}` } });
  await t.throwsAsync((await other.infer('digits', image)).proof, { instanceOf: UnprovenAnswer });
});

test.serial('a stumbling service is asked again with the same Idempotency-Key', async (t) => {
  const client = new Client({ url: service.url, pins: { digits: model.modelId } });
  service.stumbles = [{ status: 503 }, { status: 429, headers: { 'Retry-After': '0' } }, { status: 502 }];
  t.true((await (await client.infer('digits', image)).proof).verdict?.valid);
  const posts = service.requests.filter(({ path }) => path.endsWith('/inferences'));
  t.is(posts.length, 4);
  t.is(new Set(posts.map(({ idempotencyKey }) => idempotencyKey)).size, 1);
  t.truthy(posts[0].idempotencyKey);
  service.stumbles = [{ status: 422 }];
  await t.throwsAsync(client.infer('digits', image), { instanceOf: ApiProblem, message: /staged/ });
  service.stumbles = Array.from({ length: 9 }, () => ({ status: 503 }));
  await t.throwsAsync(new Client({ url: service.url, retries: 2 }).infer(model.modelId, image), {
    instanceOf: ApiProblem,
  });
});

async function stageService(): Promise<{ server: Server; service: StagedService }> {
  const staged = new Map<string, { receipt: string; outputs: number[] }>();
  const service: StagedService = {
    url: '',
    requests: [],
    stumbles: [],
    lie: (receipt, outputs) => ({ receipt, outputs }),
  };
  const server = createServer((request, response) => {
    void (async () => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const body = parts.length > 0 ? JSON.parse(Buffer.concat(parts).toString()) : {};
      const where = request.url ?? '';
      service.requests.push({
        path: where,
        body,
        idempotencyKey: request.headers['idempotency-key'] as string | undefined,
      });
      const reply = (status: number, value: unknown, headers = {}) => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(typeof value === 'string' ? value : JSON.stringify(value));
      };
      const stumble = service.stumbles.shift();
      if (stumble) return reply(stumble.status, { code: 'staged', detail: 'staged' }, stumble.headers);
      const id = where.split('/').at(-1) ?? '';
      if (request.method === 'POST') {
        const given = model.compiled.quantizeInput({ image: body.input.data });
        const made = await proveReceipt(model, random(staged.size), {
          inputs: given,
          salt: body.salt,
          requestId: body.nonce,
        });
        const { receipt } = made;
        const name = `inf_${staged.size}`;
        staged.set(name, service.lie(encodeReceipt(receipt), receipt.outputs[0].values));
        return reply(202, described(name, 'answered'));
      }
      if (where.startsWith('/v1/receipts/')) return reply(200, staged.get(id)?.receipt);
      return reply(200, described(id, 'proven'));
    })().catch((error: unknown) => response.destroy(error as Error));
  });
  const described = (id: string, state: string) => ({
    id,
    modelId: model.modelId,
    state,
    statement: {},
    error: null,
    outputs: model.compiled.manifest.outputs.map(({ name, dtype, shape }) => ({
      ...{ name, dtype, shape, proven: true },
      data: staged.get(id)?.outputs,
    })),
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  Object.assign(service, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  return { server, service };
}

test('the opening is what the service commits to: rounded, by axis, in the order of float32, or as given', (t) => {
  const draw = random(7);
  const values = Array.from({ length: 6 }, () => (draw.below(2000) - 1000) / 64);
  const shape = [2, 3];
  const perAxis = { axis: 1, scales: [0.5, 0.25, 3], zeroPoints: [0, 5, -7] };
  const inputs = [
    { dtype: 'int8' as const, quantization: { scale: 0.125, zeroPoint: -3 } },
    { dtype: 'uint8' as const, quantization: { scale: 0.5, zeroPoint: 0, perAxis } },
    { dtype: 'int32' as const, encoding: 'ordered-float32' as const },
    { dtype: 'int32' as const },
  ];
  for (const input of inputs) {
    const given = input.quantization || input.encoding ? values : values.map(Math.round);
    const spec = { name: 'x', shape, ...input };
    const isFloat = input.quantization !== undefined || input.encoding !== undefined;
    const boundary: InputBoundary = {
      ...spec,
      tensor: 'x',
      given: { name: 'x', dtype: isFloat ? 'float32' : input.dtype, shape },
      ...(input.encoding ? { isOrdered: true } : {}),
    };
    const committed = quantizeInputs([boundary], { x: given }).get('x')!;
    const manifest = { inputMode: 'committed', inputs: [spec] } as unknown as Manifest;
    const { inputs: opened, salt } = openingOf(manifest, given, '0x01');
    t.deepEqual(opened[0].values.map(Number), [...committed], JSON.stringify(input));
    t.is(salt, '0x01');
  }
});

test('a settlement without a chain of the caller is refused before anything is asked', async (t) => {
  const client = new Client({ url: 'http://127.0.0.1:9' });
  await t.throwsAsync(client.infer(`0x${'1'.repeat(64)}`, image, { settlement: 'onchain' }), {
    instanceOf: MissingChain,
  });
});
