/** The API process: HTTP, PostgreSQL and ONNX Runtime. It holds no keys and parses no uploads. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import express, { type Express } from 'express';
import type { Pool } from 'pg';
import type { ApiParts, Readiness } from './api-parts.js';
import { artifactPeers, reachableUrl } from './artifact-peers.js';
import { createApp } from './app.js';

import type { Config } from './config.js';
import { EventHub } from './event-hub.js';
import { runtimeVersion } from './inference/session.js';
import { selfTest } from './inference/self-test.js';
import { KeyRing } from './keys.js';
import { runInstall } from './installs.js';
import { Lease } from './lease.js';
import { LoadedModels } from './loaded-models.js';
import type { Logger } from './log.js';
import { Metrics } from './metrics.js';
import type { Operation } from './operation.js';
import { Queue } from './queue.js';
import { allRoutes } from './routes/index.js';
import { deliver } from './webhooks.js';
import { Statements } from './statements.js';
import { Tally } from './tally.js';
import { AcceptQueue } from './store/accept.js';
import { readyProvers } from './store/hosts.js';
import { allModels } from './store/models.js';

export interface Api {
  readonly url: string;
  readonly port: number;
  readonly operations: readonly Operation[];
  stop(): Promise<void>;
}

export interface ApiOptions {
  readonly config: Config;
  readonly pool: Pool;
  readonly databaseUrl: string;
  readonly log: Logger;
  readonly extend?: (app: Express, parts: ApiParts) => void;
}

export async function startApi({ config, pool, databaseUrl, log, extend }: ApiOptions): Promise<Api> {
  const metrics = new Metrics(pool, config.leaseMs);
  const tally = new Tally();
  const verdict = await selfTest();
  if (verdict === 'fail')
    log.warn('ONNX Runtime multiplies u8 by s8 inexactly on this processor; receipts say so');
  const events: EventHub = new EventHub(databaseUrl, log, () => {
    models.forget();
    void models.openAll();
  });
  const closing = new AbortController();
  const queue = new AcceptQueue(pool, config.maxQueue);
  let advertised: string | null = null;
  let opened: Awaited<ReturnType<LoadedModels['openAll']>> | null = null;
  const lease: Lease = new Lease(pool, 'api', config.leaseMs, log, tally, () => ({
    state: opened ? 'ready' : 'starting',
    detail: { residentBytes: process.memoryUsage.rss(), url: advertised },
    workerIds: jobs.workerIds,
  }));

  const peers = artifactPeers(pool, config, lease.id);
  const models: LoadedModels = new LoadedModels(pool, config, peers);

  const jobs: Queue = new Queue({
    pool,
    log,
    queue: 'errands',
    slots: 4,
    tasks: {
      webhook: (payload) =>
        deliver(pool, (payload as { id: string }).id, log, { allowPrivate: config.webhookPrivate }),
      install: (payload) => runInstall({ pool, config, log, peers }, (payload as { id: string }).id),
    },
  });

  const readiness = async (): Promise<Readiness> => {
    const provers = await readyProvers(pool, config.leaseMs).catch(() => null);
    const offered = await allModels(pool).catch(() => []);
    const cold = offered.filter(
      ({ id, tenantId }) => tenantId === null && !provers?.some(({ warm }) => warm.includes(id)),
    );
    const checks = {
      database: { ok: provers !== null, detail: provers ? 'answers' : 'does not answer' },
      models: {
        ok: opened !== null && opened.refused.length === 0,
        detail: opened
          ? `${opened.opened} opened, ${opened.refused.length} refused; ONNX Runtime ${runtimeVersion}`
          : 'loading',
      },
      selfTest: { ok: true, detail: `u8 by s8 products: ${verdict}` },
      provers: {
        ok: provers !== null && provers.length > 0 && cold.length === 0,
        detail:
          cold.length > 0
            ? `not warm: ${cold.map(({ name }) => name).join(', ')}`
            : provers?.map(({ engine }) => engine).join(', ') || 'none is there',
      },
    };
    return { ready: Object.values(checks).every(({ ok }) => ok), checks };
  };

  const parts: ApiParts = {
    config,
    pool,
    models,
    events,
    metrics,
    readiness,
    closing: closing.signal,
    inference: {
      pool,
      models,
      queue,
      retentionMs: config.retentionMs,
      statements: new Statements(pool),
      oracle: { runtime: runtimeVersion, selfTest: verdict },
      observeAnswer: (seconds) => {
        metrics.observeAnswer(seconds);
        tally.stage('answer', seconds);
      },
    },
  };
  const operations = allRoutes(parts);
  const app = createApp({
    config,
    log,
    operations,
    authenticate: new KeyRing(pool, config.requireKeys).authenticate,
    observe: (operation, status, seconds) => metrics.observeRequest(operation, status, seconds),
    extend: (application) => {
      extend?.(application, parts);
      serveDashboard(application);
    },
  });
  const server = createServer(
    {
      maxHeaderSize: 16_384,
      connectionsCheckingInterval: 2_000,
      insecureHTTPParser: false,
      keepAliveTimeout: 5_000,
    },
    app,
  );
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.maxHeadersCount = 100;
  server.maxConnections = config.maxConnections;
  const sockets = limitIdle(server);

  await lease.start();
  await events.start();
  opened = await models.openAll();
  for (const { modelId, reason } of opened.refused) log.error({ modelId, reason }, 'model cannot be served');
  await new Promise<void>((done, fail) => server.once('error', fail).listen(config.port, config.host, done));
  jobs.start();
  const { port } = server.address() as AddressInfo;
  const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  advertised = config.advertisedUrl ?? reachableUrl({ host: config.host, port });
  await lease.beat();
  log.info(
    { url, developmentMode: !config.requireKeys },
    config.requireKeys ? 'API ready' : 'API ready in development mode: no API key is asked for',
  );

  return {
    url,
    port,
    operations,
    async stop() {
      closing.abort();
      const jobsEnded = jobs.stop();
      server.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => sockets.forEach((socket) => socket.destroy()), 5_000);
      await new Promise<void>((done) => (server.listening ? server.once('close', done) : done()));
      clearTimeout(timer);
      await Promise.race([jobsEnded, sleep(10_000, undefined, { ref: false })]);
      await lease.stop();
      await events.close();
      await models.close();
    },
  };
}

/** The built dashboard, where it was built: a client of this API like any other. */
function serveDashboard(app: Express): void {
  const folder = fileURLToPath(new URL('../dashboard', import.meta.url));
  app.use(express.static(folder, { index: 'index.html', redirect: false, cacheControl: false }));
}

/** A socket that neither sends nor reads for ten seconds goes, unless it is an event stream. */
function limitIdle(server: Server): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.setTimeout(10_000, () => socket.destroy());
  });
  return sockets;
}
