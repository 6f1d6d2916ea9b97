import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import type { Command } from 'commander';
import { Client } from '../client/index.js';
import { createMcpServer } from '../mcp.js';

export function register(program: Command): void {
  program
    .command('mcp')
    .description('Model Context Protocol server on standard input and output, for AI agents')
    .option('--url <url>', 'the service', 'http://127.0.0.1:8080')
    .option('--key-env <name>', 'environment variable that holds the API key', 'VERINFER_KEY')
    .action(async ({ url, keyEnv }: { url: string; keyEnv: string }) => {
      const key = process.env[keyEnv];
      const server = createMcpServer(new Client({ url, ...(key && { key }) }), program.version() ?? '0');
      await server.connect(new StdioServerTransport());
    });
}
