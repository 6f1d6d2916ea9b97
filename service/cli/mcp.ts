import type { Command } from 'commander';

export function register(program: Command): void {
  program
    .command('mcp')
    .description('Model Context Protocol server on standard input and output, for AI agents')
    .option('--url <url>', 'the service', process.env['VERINFER_URL'] ?? 'http://127.0.0.1:8080')
    .option('--key-env <name>', 'environment variable that holds the API key', 'VERINFER_KEY')
    .action(async ({ url, keyEnv }: { url: string; keyEnv: string }) => {
      // Loaded only here: the protocol's packages would double the start of every other verb.
      const [{ StdioServerTransport }, { Client }, { createMcpServer }] = await Promise.all([
        import('@modelcontextprotocol/sdk/server/stdio.js'),
        import('../client/index.js'),
        import('../mcp.js'),
      ]);
      const key = process.env[keyEnv];
      const server = createMcpServer(new Client({ url, ...(key && { key }) }), program.version() ?? '0');
      await server.connect(new StdioServerTransport());
    });
}
