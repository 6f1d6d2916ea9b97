import type { ApiParts } from '../api-parts.js';
import type { Operation } from '../operation.js';
import { eventRoutes } from './events.js';
import { healthRoutes } from './health.js';
import { inferenceRoutes } from './inferences.js';
import { modelRoutes } from './models.js';
import { receiptRoutes } from './receipts.js';
import { sampleRoutes } from './samples.js';
import { statsRoutes } from './stats.js';
import { trustRoutes } from './trust.js';

/** Every operation of the API. The router and the OpenAPI document are made from this list. */
export function allRoutes(parts: ApiParts): Operation[] {
  return [
    modelRoutes,
    sampleRoutes,
    inferenceRoutes,
    eventRoutes,
    receiptRoutes,
    trustRoutes,
    statsRoutes,
    healthRoutes,
  ].flatMap((routes) => routes(parts));
}
