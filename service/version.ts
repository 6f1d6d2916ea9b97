import { readFileSync } from 'node:fs';

/** Of the package. Compiled files lie in dist/service. */
export const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };
