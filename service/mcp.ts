/**
 * The Model Context Protocol server: an agent lists models, learns what a proof costs, runs a proven inference, checks a
 * receipt and reads what the proof does not mean. `verinfer mcp` runs it beside the agent, where its verdicts are the
 * agent's own; at /mcp the service runs it, and a verdict from there is the service's word.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Express, Request } from 'express';
import { z } from 'zod';
import { ApiProblem, Client, MissingChain, MissingPin, UnprovenAnswer } from './client/index.js';
import { MissingExpectation } from './verifier/expectations.js';
import { verifyReceipt } from './verifier/verify-receipt.js';

const modelId = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .describe('model id, 0x and 64 hex digits, known to you from elsewhere');
const input = z
  .union([z.array(z.number()).max(1_000_000), z.record(z.string(), z.array(z.number()).max(1_000_000))])
  .describe('row-major numbers of the only input, or of each input by name');

const chain = {
  chainId: z.number().int().min(1).optional().describe('for settlements: the chain you expect'),
  contract: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/)
    .optional()
    .describe('for settlements: the Settlement contract you expect, known to you from elsewhere'),
};

/** @param client where the models are; its key is the agent's */
export function createMcpServer(client: Client, version = '1'): McpServer {
  const server = new McpServer({ name: 'verinfer', version });
  const add = <Shape extends z.ZodRawShape>(
    name: string,
    description: string,
    shape: Shape,
    run: (args: z.infer<z.ZodObject<Shape>>) => Promise<unknown>,
  ): void => {
    server.registerTool(name, { description, inputSchema: shape }, (async (
      args: z.infer<z.ZodObject<Shape>>,
    ) => {
      try {
        return { content: [{ type: 'text', text: JSON.stringify(await run(args)) }] };
      } catch (error) {
        return { isError: true, content: [{ type: 'text', text: said(error) }] };
      }
    }) as never);
  };

  add('list_models', 'Models this key may use, with their setup class and cost.', {}, () => client.models());
  add(
    'describe_model',
    'One model: inputs, outputs, rows, cost units, setup class, agreement with the float model, digests.',
    { model: z.string().max(80) },
    ({ model }) => client.model(model),
  );
  add(
    'quote',
    'What proven inferences of a model will cost, before any work: rows, cost units, seconds, memory, gas.',
    {
      model: z.string().max(80).describe('model id or name'),
      count: z.number().int().min(1).max(10_000).default(1),
      settlement: z.enum(['none', 'onchain', 'batched']).default('none'),
    },
    ({ model, ...terms }) => client.quote(model, terms),
  );
  add(
    'infer',
    'Run a model and prove it. Returns the outputs, the receipt and the verdict of checking it against the model id and the input.',
    {
      modelId,
      input,
      settlement: z.enum(['none', 'onchain', 'batched']).default('none'),
      minimumSetupClass: z.enum(['dev-single-party', 'ceremony']).optional(),
      ...chain,
    },
    async ({ modelId: pinned, input: given, settlement, minimumSetupClass, chainId, contract }) => {
      const inference = await client.infer(pinned, given, {
        settlement,
        ...(minimumSetupClass && { minimumSetupClass }),
        ...(chainId !== undefined && contract !== undefined && { chain: { chainId, settlement: contract } }),
      });
      const { receipt, opening, verdict } = await inference.proof;
      const { valid, verifiedOffline, settled, checks, trust } = verdict ?? {};
      return {
        ...{ id: inference.id, outputs: inference.outputs, valid, verifiedOffline, settled, checks },
        ...{ trust: trust?.filter(({ applies }) => applies), salt: opening.salt, receipt },
      };
    },
  );
  add(
    'verify_receipt',
    'Check a receipt against what you expect of it: the model id, and the request id or nothing can be concluded.',
    {
      receipt: z
        .string()
        .max(1 << 20)
        .describe('the text, byte for byte'),
      modelId,
      requestId: z
        .string()
        .regex(/^0x[0-9a-f]{64}$/)
        .describe('the request it must answer, known to you from elsewhere'),
      ...chain,
    },
    async ({ receipt, ...expected }) => {
      const { valid, verifiedOffline, settled, checks, trust, statementDigest } = await verifyReceipt(
        receipt,
        expected,
      );
      return { valid, verifiedOffline, settled, statementDigest, checks, trust };
    },
  );
  add('trust', 'What a proof from this service does and does not mean: ten statements.', {}, () =>
    client.trust(),
  );
  return server;
}

/** Stateless: every request brings its key and gets a server of its own. */
export function mountMcp(app: Express, serviceUrl: () => string): void {
  app.post('/mcp', (request: Request, response, next) => {
    void (async () => {
      const key = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
      const server = createMcpServer(new Client({ url: serviceUrl(), ...(key && { key }) }));
      const transport = new StreamableHTTPServerTransport({});
      response.once('close', () => void server.close());
      await server.connect(transport as never);
      await transport.handleRequest(request, response);
    })().catch(next);
  });
}

/** Errors of ours carry what the agent needs; of anything else it learns nothing. */
function said(error: unknown): string {
  const isOurs = [ApiProblem, MissingChain, MissingPin, UnprovenAnswer, MissingExpectation].some(
    (kind) => error instanceof kind,
  );
  return isOurs
    ? (error as Error).message
    : 'the service could not be reached or answered otherwise than it should';
}
