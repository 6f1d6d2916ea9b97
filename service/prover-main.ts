/** Entry of the prover host process. */
import { runProcess } from './process.js';
import { startProverHost } from './prover-host.js';

await runProcess('prover', 16, async ({ config, pool, log }) => {
  const host = await startProverHost({ config, pool, log });
  return { part: host, news: { hostId: host.id } };
});
