import type { Command } from 'commander';
import { readConfig } from '../config.js';
import { withDatabase } from '../database.js';
import { createKey, rotateKey } from '../keys.js';
import { scopes, type Scope } from '../operation.js';
import { listKeys, revokeKey } from '../store/keys.js';

interface CreateOptions {
  readonly tenant: string;
  readonly name: string;
  readonly scopes: string;
  readonly units?: string;
  readonly days?: string;
}

export function register(program: Command): void {
  const keys = program.command('keys').description('API keys: create, list, revoke, rotate');
  keys
    .command('create')
    .description('prints the key once; only its hash is stored')
    .requiredOption('--tenant <id>', 'whose key; a new tenant is made')
    .option('--name <text>', 'what it is for', 'unnamed')
    .option('--scopes <list>', `comma separated, of ${scopes.join(', ')}`, 'read,infer')
    .option('--units <n>', 'cost units a day: thousands of circuit rows')
    .option('--days <n>', 'days until it expires')
    .action((options: CreateOptions) =>
      withDatabase(readConfig(), async (pool) => {
        const wanted = options.scopes.split(',').map((scope) => scope.trim());
        const unknown = wanted.find((scope) => !scopes.includes(scope as Scope));
        if (unknown !== undefined)
          throw new Error(`--scopes: must be of ${scopes.join(', ')}, got "${unknown}"`);
        if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(options.tenant))
          throw new Error('--tenant: must be lower-case letters, digits and dashes');
        const key = await createKey(pool, {
          tenantId: options.tenant,
          name: options.name,
          scopes: wanted as Scope[],
          unitsPerDay: options.units ? Number(options.units) : null,
          expiresAt: options.days ? new Date(Date.now() + Number(options.days) * 86_400_000) : null,
        });
        process.stdout.write(`${key.text}\n`);
      }),
    );
  keys
    .command('list')
    .description('keys without their secrets')
    .option('--tenant <id>', 'of one tenant')
    .action((options: { tenant?: string }) =>
      withDatabase(readConfig(), async (pool) => {
        for (const key of await listKeys(pool, options.tenant ?? null))
          process.stdout.write(
            `${key.id}  ${key.tenantId}  ${key.scopes.join(',')}  ${key.revokedAt ? 'revoked' : key.expiresAt ? `until ${key.expiresAt.toISOString()}` : 'live'}  ${key.name}\n`,
          );
      }),
    );
  keys
    .command('revoke <id>')
    .description('end a key; it is refused a second later')
    .action((id: string) =>
      withDatabase(readConfig(), async (pool) => {
        if (!(await revokeKey(pool, id))) throw new Error(`key ${id}: must be a live key`);
        process.stdout.write(`revoked ${id}\n`);
      }),
    );
  keys
    .command('rotate <id>')
    .description('prints a new key with the rights of an old one')
    .option('--grace <seconds>', 'how long the old key still works', '3600')
    .action((id: string, options: { grace: string }) =>
      withDatabase(readConfig(), async (pool) => {
        const made = await rotateKey(pool, id, Number(options.grace) * 1000);
        if (!made) throw new Error(`key ${id}: must be a live key`);
        process.stdout.write(`${made.text}\n`);
      }),
    );
}
