/**
 * Prometheus metrics. Requests, answers and the process itself are this API host's; queue, hosts, proofs, stages and gas are
 * read from the database when the page is, and are those of the whole installation: the same from every API host. Labels
 * come from closed sets only: no ids, no names that a client chose.
 */
import { Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Pool } from 'pg';
import { queueStatus } from './store/status.js';
import { readTotals } from './store/totals.js';
import { engines, proofOutcomes, series, stageBuckets, stages } from './tally.js';

/** A page that many scrapers ask for at once costs one look at the database. */
const keptMs = 1_000;

export class Metrics {
  readonly contentType: string;
  private readonly registry = new Registry();
  private readonly requests = new Histogram({
    name: 'verinfer_http_seconds',
    help: 'Time to answer an HTTP request',
    labelNames: ['operation', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers: [this.registry],
  });
  private readonly answers = new Histogram({
    name: 'verinfer_answer_seconds',
    help: 'Model run and durable acceptance of one inference',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [this.registry],
  });
  private readonly queueDepth = this.gauge('verinfer_queue_depth', 'Inferences by open state', ['state']);
  private readonly queueAge = this.gauge(
    'verinfer_queue_age_seconds',
    'Age of the oldest unproven inference',
  );
  private readonly hosts = this.gauge('verinfer_hosts', 'Hosts with a live lease', ['kind', 'engine']);
  private readonly resident = this.gauge('verinfer_resident_bytes', 'Resident memory of all live hosts', [
    'kind',
  ]);
  private page: { readonly text: Promise<string>; readonly until: number } | null = null;

  constructor(
    private readonly pool: Pool,
    private readonly leaseMs: number,
  ) {
    this.contentType = this.registry.contentType;
    collectDefaultMetrics({ register: this.registry, prefix: 'verinfer_' });
  }

  observeRequest(operation: string, status: number, seconds: number): void {
    this.requests.observe({ operation, status: `${Math.floor(status / 100)}xx` }, seconds);
  }

  observeAnswer(seconds: number): void {
    this.answers.observe(seconds);
  }

  text(): Promise<string> {
    if (!this.page || this.page.until < Date.now()) {
      const text = this.render();
      this.page = { text, until: Date.now() + keptMs };
      text.catch(() => (this.page = null));
    }
    return this.page.text;
  }

  private async render(): Promise<string> {
    const [status, totals] = await Promise.all([queueStatus(this.pool, this.leaseMs), readTotals(this.pool)]);
    for (const [state, depth] of Object.entries(status.depths)) this.queueDepth.set({ state }, depth);
    this.queueAge.set(status.oldestSeconds);
    this.hosts.reset();
    this.resident.reset();
    for (const { kind, engine, residentBytes } of status.hosts) {
      this.hosts.inc({ kind, engine });
      this.resident.inc({ kind }, residentBytes);
    }
    return `${await this.registry.metrics()}\n${totalsText(totals)}`;
  }

  private gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}

/** Totals in the text format of Prometheus. */
function totalsText(totals: ReadonlyMap<string, number>): string {
  const lines: string[] = [];
  const family = (name: string, type: 'counter' | 'histogram', help: string): void =>
    void lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  const value = (key: string): number => totals.get(key) ?? 0;

  family('verinfer_proofs_total', 'counter', 'Proofs that ended, by outcome');
  for (const outcome of proofOutcomes)
    for (const engine of engines)
      lines.push(
        `verinfer_proofs_total{outcome="${outcome}",engine="${engine}"} ${value(series.proofs(outcome, engine))}`,
      );
  family('verinfer_settlements_total', 'counter', 'Inferences settled on chain');
  lines.push(`verinfer_settlements_total ${value(series.settlements)}`);
  family('verinfer_settlement_gas_total', 'counter', 'Gas of their transactions');
  lines.push(`verinfer_settlement_gas_total ${value(series.gas)}`);

  family('verinfer_stage_seconds', 'histogram', 'Time of each stage of an inference');
  for (const stage of stages) {
    let count = 0;
    for (const bound of stageBuckets) {
      count += value(series.stageBucket(stage, bound));
      const le = bound === Infinity ? '+Inf' : bound;
      lines.push(`verinfer_stage_seconds_bucket{stage="${stage}",le="${le}"} ${count}`);
    }
    lines.push(`verinfer_stage_seconds_sum{stage="${stage}"} ${value(series.stageSeconds(stage))}`);
    lines.push(`verinfer_stage_seconds_count{stage="${stage}"} ${count}`);
  }
  return `${lines.join('\n')}\n`;
}
