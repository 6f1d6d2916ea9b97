/** Entry of the API process. */
import { startApi } from './api.js';
import { servePages } from './pages.js';
import { runProcess } from './process.js';

await runProcess('api', 12, async ({ config, databaseUrl, pool, log }) => {
  const api = await startApi({ config, pool, databaseUrl, log, extend: servePages });
  return { part: api, news: { url: api.url } };
});
