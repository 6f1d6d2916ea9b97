import { z } from 'zod';
import type { ApiParts } from '../api-parts.js';
import { operation, type Operation } from '../operation.js';
import { modelRef } from '../schemas.js';
import { trustStatements } from '../trust.js';

const statement = z.object({
  id: z.string(),
  field: z.string(),
  value: z.string(),
  applies: z.boolean(),
  sentence: z.string(),
});

export function trustRoutes({ models, config }: ApiParts): Operation[] {
  return [
    operation({
      id: 'getTrust',
      method: 'get',
      path: '/v1/trust',
      summary: 'What a proof from this service does and does not mean',
      scope: null,
      query: z.strictObject({ model: modelRef.optional() }),
      problems: ['not-found'],
      replies: {
        200: {
          description: 'The ten statements, for one model or in general',
          schema: z.object({
            statements: z.array(statement),
            developmentMode: z.object({ active: z.boolean(), sentence: z.string() }),
          }),
        },
      },
      handle: async ({ query }) => {
        const identity =
          query.model === undefined
            ? { setupClass: 'dev-single-party' as const, contributorCount: 0 }
            : (await models.find('development', query.model)).description.identity;
        return {
          status: 200,
          body: {
            statements: trustStatements(identity),
            developmentMode: config.requireKeys
              ? { active: false, sentence: 'Every call carries an API key.' }
              : {
                  active: true,
                  sentence:
                    'Development mode: no API key is asked for. Anyone who reaches this port can use it.',
                },
          },
        };
      },
    }),
  ];
}
