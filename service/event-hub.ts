/** Follows NOTIFY on one connection a process and hands events to whoever listens for that inference. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from './log.js';

export interface InferenceEvent {
  readonly id: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

type Listener = (event: InferenceEvent) => void;

export class EventHub {
  private readonly listeners = new Map<string, Set<Listener>>();
  private client: pg.Client | null = null;
  private closed = false;

  constructor(
    private readonly databaseUrl: string,
    private readonly log: Logger,
    private readonly onModels: () => void = () => undefined,
  ) {}

  async start(): Promise<void> {
    await this.connect();
  }

  private async connect(): Promise<void> {
    while (!this.closed) {
      const client = new pg.Client({
        connectionString: this.databaseUrl,
        application_name: 'verinfer events',
      });
      client.on('error', () => undefined);
      try {
        await client.connect();
        client.on('notification', ({ channel, payload }) => this.receive(channel, payload ?? ''));
        client.once('end', () => {
          if (!this.closed) void sleep(200).then(() => this.connect());
        });
        await client.query('listen inference_events; listen models');
        this.client = client;
        return;
      } catch (error) {
        this.log.debug({ reason: (error as Error).message }, 'event connection waits for the database');
        await client.end().catch(() => undefined);
        await sleep(300);
      }
    }
  }

  private receive(channel: string, payload: string): void {
    if (channel === 'models') {
      this.onModels();
      return;
    }
    const event = JSON.parse(payload) as InferenceEvent;
    for (const listener of this.listeners.get(event.id) ?? []) listener(event);
  }

  /** Returns the function that ends the subscription. */
  subscribe(id: string, listener: Listener): () => void {
    const set = this.listeners.get(id) ?? new Set();
    this.listeners.set(id, set.add(listener));
    return () => {
      set.delete(listener);
      if (set.size === 0) this.listeners.delete(id);
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.client?.end().catch(() => undefined);
  }
}
