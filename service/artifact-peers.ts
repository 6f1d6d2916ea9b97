/**
 * Where a host gets a model's files that it lacks: from any API host of the installation, found in the database. It proves
 * who it is with an API key of its own that lives for minutes, of which the database holds only the hash.
 */
import { hostname } from 'node:os';
import type { Pool } from 'pg';
import type { Config } from './config.js';
import { createKey } from './keys.js';
import type { ArtifactOrigin, Origins } from './model-folder.js';
import { listHosts } from './store/hosts.js';

const keyLivesMs = 10 * 60_000;

export function artifactPeers(
  pool: Pool,
  config: Pick<Config, 'artifactOrigin' | 'artifactKey' | 'leaseMs'>,
  hostId: string,
): Origins {
  let made: { readonly text: Promise<string>; readonly until: number } | null = null;
  const ownKey = (): Promise<string> => {
    if (!made || made.until < Date.now()) {
      const text = createKey(pool, {
        tenantId: 'hosts',
        name: hostId,
        scopes: ['read', 'host'],
        unitsPerDay: null,
        expiresAt: new Date(Date.now() + keyLivesMs),
      }).then((key) => key.text);
      made = { text, until: Date.now() + keyLivesMs / 2 };
      text.catch(() => (made = null));
    }
    return made.text;
  };
  return async () => {
    const named = config.artifactOrigin ? [{ url: config.artifactOrigin, key: config.artifactKey }] : [];
    const hosts = await listHosts(pool, config.leaseMs);
    const urls = hosts
      .filter(({ kind, id, detail }) => kind === 'api' && id !== hostId && typeof detail['url'] === 'string')
      .map(({ detail }) => String(detail['url']));
    if (urls.length === 0) return named;
    const key = await ownKey();
    return [...named, ...urls.map((url): ArtifactOrigin => ({ url, key }))];
  };
}

/** What other hosts reach this API at, when nobody has said so: a wildcard address is no address. */
export function reachableUrl(listening: { readonly host: string; readonly port: number }): string {
  const host = listening.host === '0.0.0.0' || listening.host === '::' ? hostname() : listening.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${listening.port}`;
}
