/** Hands the events of inferences, from whichever host they come, to whoever listens for that inference. */
import type { Logger } from './log.js';
import { Notifications } from './notifications.js';

export interface InferenceEvent {
  readonly id: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

type Listener = (event: InferenceEvent) => void;

export class EventHub {
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly notifications: Notifications;

  constructor(databaseUrl: string, log: Logger, onModels: () => void = () => undefined) {
    this.notifications = new Notifications(databaseUrl, log, {
      inference_events: (payload) => this.receive(payload),
      models: onModels,
    });
  }

  async start(): Promise<void> {
    await this.notifications.start();
  }

  private receive(payload: string): void {
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
    await this.notifications.close();
  }
}
