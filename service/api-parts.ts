/** What the routes work with; made once by service/api.ts. */
import type { Pool } from 'pg';
import type { Config } from './config.js';
import type { EventHub } from './event-hub.js';
import type { InferenceParts } from './inferences.js';
import type { LoadedModels } from './loaded-models.js';
import type { Metrics } from './metrics.js';

export interface ApiParts {
  readonly config: Config;
  readonly pool: Pool;
  readonly models: LoadedModels;
  readonly events: EventHub;
  readonly inference: InferenceParts;
  readonly metrics: Metrics;
  /** Aborted when the process shuts down: long responses end. */
  readonly closing: AbortSignal;
  readonly readiness: () => Promise<Readiness>;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
}
