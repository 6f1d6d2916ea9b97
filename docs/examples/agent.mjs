/**
 * What an AI agent does with verinfer, by hand: starts `verinfer mcp` beside itself and uses its tools.
 * Usage: node agent.mjs <url of the service>
 */
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const url = process.argv[2] ?? 'http://127.0.0.1:8080';
const agent = new Client({ name: 'example-agent', version: '1' });
await agent.connect(new StdioClientTransport({ command: 'node', args: ['dist/service/cli.js', 'mcp', '--url', url] }));

async function use(name, args = {}) {
  const { isError, content } = await agent.callTool({ name, arguments: args });
  if (isError) throw new Error(`${name}: ${content[0].text}`);
  return JSON.parse(content[0].text);
}

const { tools } = await agent.listTools();
console.log('tools   ', tools.map(({ name }) => name).sort().join(', '));

// An agent that is serious about it knows the id from elsewhere.
const model = (await use('list_models')).find(({ name }) => name === 'digits8x8');
const quote = await use('quote', { model: model.id });
console.log('quote   ', `${quote.rows} rows, about ${quote.proveSeconds} s`);

const { samples } = JSON.parse(readFileSync('models/digits8x8/samples.json', 'utf8'));
const answer = await use('infer', { modelId: model.id, input: samples[0].x });
console.log('answer  ', answer.outputs.find(({ proven }) => proven).data.join(' '));
console.log('verdict ', `${answer.valid ? 'valid' : 'INVALID'}, ${answer.verifiedOffline ? 'verified offline' : 'not verified'}`);

const { requestId } = JSON.parse(answer.receipt).statement;
const again = await use('verify_receipt', { receipt: answer.receipt, modelId: model.id, requestId });
console.log('again   ', again.valid ? 'valid' : 'INVALID');
await agent.close();
