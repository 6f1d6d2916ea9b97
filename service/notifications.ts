/** Follows NOTIFY on one connection a process, for as long as the process lives: a connection that is lost is made again. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from './log.js';

export type Channel = 'inference_events' | 'models' | 'receipts_to_seal';

export class Notifications {
  private client: pg.Client | null = null;
  private closed = false;

  constructor(
    private readonly databaseUrl: string,
    private readonly log: Logger,
    /** What to do with a payload, by channel. Notices sent while there was no connection are lost. */
    private readonly channels: Partial<Record<Channel, (payload: string) => void>>,
  ) {}

  /** Resolves when it listens. */
  async start(): Promise<void> {
    while (!this.closed) {
      const client = new pg.Client({
        connectionString: this.databaseUrl,
        application_name: 'verinfer notifications',
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        client.on('notification', ({ channel, payload }) =>
          this.channels[channel as Channel]?.(payload ?? ''),
        );
        client.once('end', () => {
          if (!this.closed) void sleep(200).then(() => this.start());
        });
        await client.query(
          Object.keys(this.channels)
            .map((channel) => `listen ${channel}`)
            .join('; '),
        );
        this.client = client;
        return;
      } catch (error) {
        this.log.debug({ reason: (error as Error).message }, 'notifications wait for the database');
        await client.end().catch(() => undefined);
        await sleep(300);
      }
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.client?.end().catch(() => undefined);
  }
}
