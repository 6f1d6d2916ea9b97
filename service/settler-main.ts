/** Entry of the settler process, the only one that holds the chain key. */
import { runProcess } from './process.js';
import { startSettler } from './settler.js';

// Every slot of its queue listens on a connection of its own.
await runProcess('settler', 40, async (surroundings) => {
  const settler = await startSettler(surroundings);
  return { part: settler, news: { hostId: settler.id } };
});
