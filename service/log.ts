import { pino, type Logger } from 'pino';
import type { Config } from './config.js';

export type { Logger };

/**
 * Structured log, on stdout or, for verbs whose stdout is their answer, on stderr. Requests and jobs are logged by id:
 * no inputs, no salts, no keys.
 */
export function createLog(
  config: Pick<Config, 'logLevel'>,
  part: string,
  to: 'stdout' | 'stderr' = 'stdout',
): Logger {
  return pino(
    {
      level: config.logLevel,
      base: { part },
      redact: {
        paths: [
          'input',
          'inputs',
          'salt',
          'authorization',
          '*.input',
          '*.inputs',
          '*.salt',
          '*.authorization',
        ],
        remove: true,
      },
    },
    pino.destination(to === 'stdout' ? 1 : 2),
  );
}
