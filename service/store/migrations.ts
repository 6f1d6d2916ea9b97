/**
 * The schema, as numbered steps that only go forward. A step never changes once released; a database that is further
 * than this list was written by a newer release and is refused.
 */
import { Logger, runMigrations } from 'graphile-worker';
import type { Pool } from 'pg';
import { queues } from './jobs.js';

const steps: readonly string[] = [
  `
  create table tenants (
    id text primary key,
    created_at timestamptz not null default now(),
    -- Fair share: the virtual time of this tenant's latest job (accept_inference).
    last_ticket bigint not null default 0,
    open_count integer not null default 0
  );
  insert into tenants (id) values ('development');

  create table api_keys (
    id text primary key,
    tenant_id text not null references tenants,
    name text not null,
    secret_digest bytea not null,
    scopes text[] not null,
    units_per_day bigint,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    replaced_by text references api_keys
  );

  create table unit_usage (
    tenant_id text not null references tenants,
    day date not null,
    units bigint not null,
    primary key (tenant_id, day)
  );

  create table models (
    id text primary key,
    tenant_id text references tenants,
    name text not null,
    description jsonb not null,
    files jsonb not null,
    created_at timestamptz not null default now(),
    frozen_at timestamptz,
    removed_at timestamptz
  );
  create index models_by_name on models (name, created_at desc);

  create table model_installs (
    id text primary key,
    tenant_id text not null references tenants,
    name text not null,
    state text not null check (state in ('queued', 'compiling', 'setting-up', 'registering', 'ready', 'failed')),
    model_hash text not null,
    size_bytes bigint not null,
    options jsonb not null,
    model_id text references models,
    error jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  );

  create table inferences (
    id text primary key,
    tenant_id text not null references tenants,
    model_id text not null references models,
    batch_id text,
    state text not null check (state in ('answered', 'proving', 'proven', 'submitted', 'settled', 'failed')),
    -- Raised by every claim; a result carries the fence of its claim and is dropped when another claim came after.
    fence bigint not null default 0,
    host_id text,
    crash_count integer not null default 0,
    is_suspect boolean not null default false,
    ticket bigint not null,
    units bigint not null,
    settlement text not null check (settlement in ('none', 'onchain', 'batched')),
    -- Everything public about the request: context fields, output mode, options.
    request jsonb not null,
    outputs jsonb not null,
    timings jsonb not null default '{}',
    settled jsonb,
    error jsonb,
    created_at timestamptz not null default now(),
    proving_at timestamptz,
    proven_at timestamptz,
    submitted_at timestamptz,
    settled_at timestamptz,
    failed_at timestamptz
  );
  create index inferences_open on inferences (state) where state in ('answered', 'proving');
  create index inferences_settling on inferences (state) where state in ('proven', 'submitted') and settlement <> 'none';
  create index inferences_by_tenant on inferences (tenant_id, created_at desc, id desc);
  create index inferences_by_batch on inferences (batch_id) where batch_id is not null;

  -- The private part, alone in a table so that erasing it is one delete.
  create table private_inputs (
    inference_id text primary key references inferences on delete cascade,
    tensors bytea not null,
    salt bytea,
    expires_at timestamptz not null
  );
  create index private_inputs_expiry on private_inputs (expires_at);

  create table idempotency_keys (
    tenant_id text not null references tenants,
    key text not null,
    body_digest bytea not null,
    resource_id text not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, key)
  );
  create index idempotency_age on idempotency_keys (created_at);

  create table receipts (
    id text primary key references inferences,
    tenant_id text not null references tenants,
    digest bytea not null,
    body bytea not null,
    created_at timestamptz not null default now()
  );

  create table webhooks (
    id text primary key,
    tenant_id text not null references tenants,
    url text not null,
    secret text not null,
    old_secret text,
    old_until timestamptz,
    created_at timestamptz not null default now(),
    removed_at timestamptz
  );
  create table webhook_deliveries (
    id text primary key,
    tenant_id text not null references tenants,
    webhook_id text not null references webhooks,
    inference_id text not null references inferences,
    event text not null,
    attempt_count integer not null default 0,
    delivered_at timestamptz,
    last_error text,
    created_at timestamptz not null default now(),
    unique (webhook_id, inference_id, event)
  );

  create table hosts (
    id text primary key,
    kind text not null,
    name text not null,
    state text not null default 'starting',
    detail jsonb not null default '{}',
    worker_ids text[] not null default '{}',
    started_at timestamptz not null default now(),
    beat_at timestamptz not null default now()
  );

  -- What the processes of one installation agree on: the chain's deployment, the signer's address.
  create table shared_facts (name text primary key, value jsonb not null, changed_at timestamptz not null default now());

  -- The virtual time of the job that was started last; one row.
  create table fair_clock (now_ticket bigint not null);
  insert into fair_clock values (0);
  `,
  `
  -- Accepts one inference: row, private input, idempotency key, quota and job, or nothing. Called for many requests in
  -- one transaction (store/accept.ts), so that one disk flush serves them all.
  --
  -- Fair share is start-time fair queueing: a job's ticket is one past the later of the tenant's latest ticket and the
  -- clock, and workers take the lowest ticket, because the ticket is the job's run_at (microseconds after 2000-01-01).
  create function accept_inference(r jsonb, tensors bytea, salt bytea, day_limit bigint, queue_limit integer)
  returns table (outcome text, resource_id text) language plpgsql as $$
  declare
    v_tenant text := r->>'tenantId';
    v_key text := r->>'idempotencyKey';
    v_units bigint := (r->>'units')::bigint;
    v_known idempotency_keys;
    v_used bigint;
    v_ticket bigint;
    v_open integer;
  begin
    if v_key is not null then
      delete from idempotency_keys where tenant_id = v_tenant and key = v_key and created_at < now() - interval '24 hours';
      insert into idempotency_keys (tenant_id, key, body_digest, resource_id)
        values (v_tenant, v_key, decode(r->>'bodyDigest', 'hex'), coalesce(r->>'batchId', r->>'id'))
        on conflict do nothing;
      if not found then
        select * into v_known from idempotency_keys where tenant_id = v_tenant and key = v_key;
        return query select case when v_known.body_digest = decode(r->>'bodyDigest', 'hex') then 'duplicate' else 'mismatch' end,
          v_known.resource_id;
        return;
      end if;
    end if;
    if day_limit is not null then
      insert into unit_usage as u values (v_tenant, current_date, v_units)
        on conflict (tenant_id, day) do update set units = u.units + v_units returning units into v_used;
      if v_used > day_limit then
        update unit_usage set units = units - v_units where tenant_id = v_tenant and day = current_date;
        delete from idempotency_keys where tenant_id = v_tenant and key = v_key;
        return query select 'quota', null::text;
        return;
      end if;
    end if;
    update tenants set last_ticket = greatest(last_ticket, (select now_ticket from fair_clock)) + 1, open_count = open_count + 1
      where id = v_tenant and open_count < queue_limit returning last_ticket, open_count into v_ticket, v_open;
    if v_ticket is null then
      if day_limit is not null then
        update unit_usage set units = units - v_units where tenant_id = v_tenant and day = current_date;
      end if;
      delete from idempotency_keys where tenant_id = v_tenant and key = v_key;
      return query select 'full', null::text;
      return;
    end if;
    insert into inferences (id, tenant_id, model_id, batch_id, state, ticket, units, settlement, request, outputs, timings)
      values (r->>'id', v_tenant, r->>'modelId', r->>'batchId', 'answered', v_ticket, v_units, r->>'settlement',
        r->'request', r->'outputs', r->'timings');
    insert into private_inputs values (r->>'id', tensors, salt, now() + (r->>'retentionMs')::bigint * interval '1 millisecond');
    perform graphile_worker.add_job('prove', json_build_object('id', r->>'id'), run_at := timestamptz '2000-01-01 00:00Z' + v_ticket * interval '1 microsecond',
      max_attempts := 30000, job_key := 'prove:' || (r->>'id'));
    return query select 'accepted', r->>'id';
  end $$;
  `,
  `
  -- The signer's ledger (service/signer/ledger.ts). attempts: signed bytes that may be out there, oldest first.
  create table chain_intents (
    sequence bigint generated always as identity,
    id text primary key,
    chain_id bigint not null,
    sender text not null,
    recipient text not null,
    data text not null,
    value_wei numeric not null,
    not_after_s bigint,
    state text not null default 'queued' check (state in
      ('queued', 'signed', 'broadcast', 'mined', 'final', 'reverted', 'expired', 'refused')),
    nonce bigint,
    attempts jsonb not null default '[]',
    transaction_hash text,
    block_number bigint,
    block_hash text,
    gas_used numeric,
    reason text,
    failures integer not null default 0,
    signed_at timestamptz,
    created_at timestamptz not null default now(),
    unique (chain_id, sender, nonce)
  );
  create index chain_intents_open on chain_intents (chain_id, sender, sequence)
    where state in ('queued', 'signed', 'broadcast', 'mined');
  `,
  `
  -- Several operators may share a database: an intent's id is its key's own.
  alter table chain_intents drop constraint chain_intents_pkey, add primary key (chain_id, sender, id);

  -- What an operator answered to the openings that requesters of the market sent it.
  create table market_openings (
    operator text not null,
    request_id text not null,
    verdict text not null check (verdict in ('acknowledged', 'refused')),
    reason text not null,
    -- Private: erased when the request is closed.
    opening jsonb,
    created_at timestamptz not null default now(),
    primary key (operator, request_id)
  );
  `,
  `
  -- Proofs wait by the thousand; everything else that is queued moves to a queue of its own (store/jobs.ts).
  select errands.add_job(j.task_identifier, p.payload, queue_name := j.queue_name, run_at := j.run_at,
      max_attempts := j.max_attempts, job_key := j.key)
    from graphile_worker.jobs j join graphile_worker._private_jobs p on p.id = j.id where j.task_identifier <> 'prove';
  delete from graphile_worker._private_jobs where task_id not in
    (select id from graphile_worker._private_tasks where identifier = 'prove');

  -- A job's place in line is its run_at: its ticket in microseconds after 2000-01-01 (fair share, see below).
  create function proof_job(id text, ticket bigint) returns graphile_worker.job_spec language sql immutable as $$
    select row('prove', json_build_object('id', id), null, timestamptz '2000-01-01 00:00Z' + ticket * interval '1 microsecond',
      30000, 'prove:' || id, null, null)::graphile_worker.job_spec
  $$;

  -- Accepts one inference: row, private input, idempotency key and quota, or nothing. The job is the caller's to add.
  --
  -- Fair share is start-time fair queueing: a job's ticket is one past the later of the tenant's latest ticket and the
  -- clock, and workers take the lowest ticket.
  drop function accept_inference(jsonb, bytea, bytea, bigint, integer);
  create function accept_inference(r jsonb, tensors bytea, salt bytea, day_limit bigint, queue_limit integer,
    out outcome text, out resource_id text, out ticket bigint) language plpgsql as $$
  declare
    v_tenant text := r->>'tenantId';
    v_key text := r->>'idempotencyKey';
    v_units bigint := (r->>'units')::bigint;
    v_known idempotency_keys;
    v_used bigint;
  begin
    if v_key is not null then
      delete from idempotency_keys where tenant_id = v_tenant and key = v_key and created_at < now() - interval '24 hours';
      insert into idempotency_keys (tenant_id, key, body_digest, resource_id)
        values (v_tenant, v_key, decode(r->>'bodyDigest', 'hex'), coalesce(r->>'batchId', r->>'id'))
        on conflict do nothing;
      if not found then
        select * into v_known from idempotency_keys where tenant_id = v_tenant and key = v_key;
        outcome := case when v_known.body_digest = decode(r->>'bodyDigest', 'hex') then 'duplicate' else 'mismatch' end;
        resource_id := v_known.resource_id;
        return;
      end if;
    end if;
    if day_limit is not null then
      insert into unit_usage as u values (v_tenant, current_date, v_units)
        on conflict (tenant_id, day) do update set units = u.units + v_units returning units into v_used;
      if v_used > day_limit then outcome := 'quota'; end if;
    end if;
    if outcome is null then
      update tenants set last_ticket = greatest(last_ticket, (select now_ticket from fair_clock)) + 1, open_count = open_count + 1
        where id = v_tenant and open_count < queue_limit returning last_ticket into ticket;
      if ticket is null then outcome := 'full'; end if;
    end if;
    if outcome is not null then
      if day_limit is not null then
        update unit_usage set units = units - v_units where tenant_id = v_tenant and day = current_date;
      end if;
      if v_key is not null then delete from idempotency_keys where tenant_id = v_tenant and key = v_key; end if;
      return;
    end if;
    insert into inferences (id, tenant_id, model_id, batch_id, state, ticket, units, settlement, request, outputs, timings)
      values (r->>'id', v_tenant, r->>'modelId', r->>'batchId', 'answered', ticket, v_units, r->>'settlement',
        r->'request', r->'outputs', r->'timings');
    insert into private_inputs values (r->>'id', tensors, salt, now() + (r->>'retentionMs')::bigint * interval '1 millisecond');
    outcome := 'accepted';
    resource_id := r->>'id';
  end $$;

  -- Many at once, one outcome each, and the jobs of all that were accepted: one transaction, one disk flush and one
  -- notice to the workers (store/accept.ts).
  create function accept_inferences(r jsonb[], tensors bytea[], salts bytea[], day_limits bigint[], queue_limit integer)
  returns table (outcome text, resource_id text) language plpgsql as $$
  declare
    v_ticket bigint;
    v_jobs graphile_worker.job_spec[] := '{}';
  begin
    for i in 1 .. array_length(r, 1) loop
      select a.outcome, a.resource_id, a.ticket into outcome, resource_id, v_ticket
        from accept_inference(r[i], tensors[i], salts[i], day_limits[i], queue_limit) as a;
      if outcome = 'accepted' then v_jobs := v_jobs || proof_job(resource_id, v_ticket); end if;
      return next;
    end loop;
    if cardinality(v_jobs) > 0 then perform graphile_worker.add_jobs(v_jobs); end if;
  end $$;
  `,
  `
  -- What the installation has counted (service/tally.ts), by series.
  create table totals (series text primary key, value double precision not null);
  `,
  `
  -- Receipts wait for their signature in their own row (store/seals.ts), and are signed many at a time.
  alter table receipts add column seal_at timestamptz, add column operator text;
  create index receipts_to_seal on receipts (seal_at) where seal_at is not null;
  -- Mostly hexadecimal digits of random bytes: compressing them costs more than writing them.
  alter table receipts alter column body set storage external;
  update receipts r set seal_at = now(), operator = lower(i.request->'statement'->>'operator')
    from inferences i where i.id = r.id and i.state = 'proving';
  delete from errands._private_jobs where task_id in (select id from errands._private_tasks where identifier = 'seal');
  `,
];

export const schemaVersion = steps.length;

/** graphile-worker writes to the console unless told otherwise; what matters is logged by our tasks. */
export const quietLogger = new Logger(() => () => undefined);

export class SchemaTooNew extends Error {
  override name = 'SchemaTooNew';
}

/** Brings the database to this release's schema, once, whoever comes first; others wait on the lock. */
export async function migrate(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(`select pg_advisory_lock(hashtext('verinfer/migrations'))`);
    await client.query(
      'create table if not exists schema_steps (number integer primary key, done_at timestamptz not null default now())',
    );
    const { rows } = await client.query<{ done: number }>(
      'select coalesce(max(number), 0)::int as done from schema_steps',
    );
    const { done } = rows[0]!;
    if (done > steps.length)
      throw new SchemaTooNew(
        `database schema: version must be at most ${steps.length}, got ${done}; a newer release wrote it`,
      );
    for (const schema of Object.values(queues))
      await runMigrations({ pgPool: pool, schema, logger: quietLogger });
    for (let number = done + 1; number <= steps.length; number++) {
      await client.query('begin');
      await client.query(steps[number - 1]!);
      await client.query('insert into schema_steps (number) values ($1)', [number]);
      await client.query('commit');
    }
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    await client.query('select pg_advisory_unlock_all()').catch(() => undefined);
    client.release();
  }
}
