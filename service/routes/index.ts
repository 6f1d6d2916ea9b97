import type { ApiParts } from '../api-parts.js';
import type { Operation } from '../operation.js';
import { artifactRoutes } from './artifacts.js';
import { batchRoutes } from './batches.js';
import { ceremonyRoutes } from './ceremonies.js';
import { eventRoutes } from './events.js';
import { healthRoutes } from './health.js';
import { inferenceRoutes } from './inferences.js';
import { modelRoutes } from './models.js';
import { quoteRoutes } from './quotes.js';
import { receiptRoutes } from './receipts.js';
import { referenceRoutes } from './reference.js';
import { statsRoutes } from './stats.js';
import { trustRoutes } from './trust.js';
import { uploadRoutes } from './uploads.js';
import { webhookRoutes } from './webhooks.js';

const groups = [
  modelRoutes,
  uploadRoutes,
  inferenceRoutes,
  batchRoutes,
  eventRoutes,
  receiptRoutes,
  quoteRoutes,
  webhookRoutes,
  artifactRoutes,
  statsRoutes,
  trustRoutes,
  ceremonyRoutes,
  healthRoutes,
];

/** Every operation of the API. The router and the OpenAPI document are made from this list. */
export function allRoutes(parts: ApiParts): Operation[] {
  const operations = groups.flatMap((routes) => routes(parts));
  return [...operations, ...referenceRoutes(operations)];
}
