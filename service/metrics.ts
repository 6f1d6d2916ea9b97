/** Prometheus metrics. Labels come from closed sets only: no ids, no names that a client chose. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export class Metrics {
  readonly registry = new Registry();
  readonly requests = new Histogram({
    name: 'verinfer_http_seconds',
    help: 'Time to answer an HTTP request',
    labelNames: ['operation', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers: [this.registry],
  });
  readonly answers = new Histogram({
    name: 'verinfer_answer_seconds',
    help: 'Model run and durable acceptance of one inference',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [this.registry],
  });
  readonly proofs = new Counter({
    name: 'verinfer_proofs_total',
    help: 'Proofs finished on this host',
    labelNames: ['outcome'],
    registers: [this.registry],
  });
  readonly stages = new Histogram({
    name: 'verinfer_stage_seconds',
    help: 'Time of each stage of a proof',
    labelNames: ['stage'],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [this.registry],
  });
  readonly queueDepth = new Gauge({
    name: 'verinfer_queue_depth',
    help: 'Inferences by open state',
    labelNames: ['state'],
    registers: [this.registry],
  });
  readonly queueAge = new Gauge({
    name: 'verinfer_queue_age_seconds',
    help: 'Age of the oldest unproven inference',
    registers: [this.registry],
  });
  readonly hosts = new Gauge({
    name: 'verinfer_hosts',
    help: 'Hosts with a live lease',
    labelNames: ['kind', 'engine'],
    registers: [this.registry],
  });
  readonly gas = new Counter({
    name: 'verinfer_settlement_gas_total',
    help: 'Gas of settlements',
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry, prefix: 'verinfer_' });
  }
}
