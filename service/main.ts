/** Entry of the API process. */
import { startApi } from './api.js';
import { mountMcp } from './mcp.js';
import { servePages } from './pages.js';
import { runProcess } from './process.js';

await runProcess('api', 12, async ({ config, databaseUrl, pool, log }) => {
  let url = '';
  const api = await startApi({
    config,
    pool,
    databaseUrl,
    log,
    extend: (app) => {
      mountMcp(app, () => url);
      servePages(app);
    },
  });
  ({ url } = api);
  return { part: api, news: { url: api.url } };
});
