import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import test from 'ava';
import express from 'express';
import type { AddressInfo } from 'node:net';
import type { Client } from '../../service/client/index.js';
import { createMcpServer, mountMcp } from '../../service/mcp.js';
import { encodeReceipt } from '../../service/receipt.js';
import { trustStatements } from '../../service/trust.js';
import { verifyReceipt } from '../../service/verifier/index.js';
import { stageModel, stageReceipt } from '../support/receipt.js';

const model = stageModel(71);
const staged = stageReceipt(model);

/** A client whose one model proves honestly, without a network. */
const stagedClient = {
  models: async () => [{ id: model.modelId, name: 'staged' }],
  model: async () => ({ id: model.modelId }),
  quote: async (_: string, { count }: { count: number }) => ({ rows: 1788, units: 2 * count }),
  trust: async () => ({
    statements: trustStatements({ setupClass: 'dev-single-party', contributorCount: 1 }),
  }),
  infer: async () => {
    const { receipt, expectations, opening } = await staged;
    const verdict = await verifyReceipt(receipt, { ...expectations, input: opening });
    return {
      id: 'inf_1',
      modelId: model.modelId,
      outputs: receipt.outputs.map(({ values, ...rest }) => ({ ...rest, data: values, proven: true })),
      proof: Promise.resolve({ receipt: encodeReceipt(receipt), opening, verdict }),
    };
  },
} as unknown as Client;

async function connected(): Promise<McpClient> {
  const [here, there] = InMemoryTransport.createLinkedPair();
  await createMcpServer(stagedClient).connect(there);
  const agent = new McpClient({ name: 'test', version: '1' });
  await agent.connect(here);
  return agent;
}

const call = async (agent: McpClient, name: string, args: object = {}) => {
  const result = (await agent.callTool({ name, arguments: { ...args } })) as {
    isError?: boolean;
    content: { text: string }[];
  };
  return { isError: result.isError === true, text: result.content[0].text };
};

test('an agent lists, quotes, infers with a proof, verifies the receipt and reads what it does not mean', async (t) => {
  const agent = await connected();
  const { tools } = await agent.listTools();
  t.deepEqual(tools.map(({ name }) => name).sort(), [
    'describe_model',
    'infer',
    'list_models',
    'quote',
    'trust',
    'verify_receipt',
  ]);
  t.true(JSON.parse((await call(agent, 'list_models')).text)[0].id === model.modelId);
  t.like(JSON.parse((await call(agent, 'quote', { model: 'staged' })).text), { rows: 1788, units: 2 });
  const answer = JSON.parse((await call(agent, 'infer', { modelId: model.modelId, input: [1, 2, 3] })).text);
  t.true(answer.valid && answer.verifiedOffline);
  t.is(answer.outputs[0].data.length, 10);
  t.is(answer.trust.length, 9);
  const { receipt, expectations } = await staged;
  const args = {
    receipt: encodeReceipt(receipt),
    modelId: expectations.modelId,
    requestId: expectations.requestId,
  };
  t.true(JSON.parse((await call(agent, 'verify_receipt', args)).text).valid);
  const other = { ...args, requestId: `0x${'1'.repeat(64)}` };
  t.false(JSON.parse((await call(agent, 'verify_receipt', other)).text).valid);
  t.is(JSON.parse((await call(agent, 'trust')).text).statements.length, 10);
  await agent.close();
});

test("arguments that are not the tool's are refused, and errors say nothing of the inside", async (t) => {
  const agent = await connected();
  t.true((await call(agent, 'infer', { modelId: 'staged', input: [1] })).isError);
  t.true((await call(agent, 'verify_receipt', { receipt: 'x' })).isError);
  const broken = {
    ...stagedClient,
    models: () => Promise.reject(new Error('/root/secret: ENOENT')),
  } as unknown as Client;
  const [here, there] = InMemoryTransport.createLinkedPair();
  await createMcpServer(broken).connect(there);
  const other = new McpClient({ name: 'test', version: '1' });
  await other.connect(here);
  const { isError, text } = await call(other, 'list_models');
  t.true(isError);
  t.notRegex(text, /secret|ENOENT/);
  await Promise.all([agent.close(), other.close()]);
});

test('/mcp speaks to agents over HTTP', async (t) => {
  const app = express();
  let url = '';
  mountMcp(app, () => url);
  app.get(
    '/v1/trust',
    (request, response) => void response.json({ key: request.headers.authorization ?? null }),
  );
  const server = app.listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const agent = new McpClient({ name: 'test', version: '1' });
    const headers = { Authorization: 'Bearer secret-key' };
    await agent.connect(
      new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers } }) as never,
    );
    t.is(JSON.parse((await call(agent, 'trust')).text).key, 'Bearer secret-key');
    await agent.close();
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
