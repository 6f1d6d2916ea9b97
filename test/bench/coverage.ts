/**
 * How many of the models that people published compile, bit for bit: `make bench-coverage [FOLDER=…] [ONLY=text]`.
 * Every item runs in a child process under a memory limit and is killed at its time limit; a crash or a hang is `wrong`.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  dynamicQuantization,
  isQuantized,
  netCategories,
  notStatic,
  outOfScope,
  readIndex,
  type CoverageItem,
} from './coverage-index.js';
import type { ItemResult } from './coverage-item.js';

const ITEM_TIMEOUT_MS = Number(process.env['ITEM_TIMEOUT_S'] ?? 600) * 1000;
const ITEM_MEMORY_MIB = 8192;
/** A worker is replaced after so many items, so that none inherits another's memory. */
const ITEMS_PER_WORKER = 40;
const WORKERS = Number(process.env['WORKERS'] ?? 1);

type Verdict = ItemResult['verdict'] | 'outOfScope';
type Judged = Omit<ItemResult, 'verdict'> & { readonly verdict: Verdict; readonly item: CoverageItem };

const root = process.argv[2] ?? '../shared/models/public';
const only = process.argv[3] ?? '';
const items = readIndex(root).filter(({ id, quant, category }) =>
  `${id} ${quant} ${category}`.includes(only),
);

class Worker {
  private child: ChildProcess | undefined;
  private answers: AsyncIterator<string> | undefined;
  private served = 0;

  async judge(item: CoverageItem): Promise<ItemResult> {
    if (!this.child || this.served++ >= ITEMS_PER_WORKER) this.restart();
    const started = Date.now();
    this.child!.stdin!.write(`${item.id}\n`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>(
      (resolve) => (timer = setTimeout(() => resolve('late'), ITEM_TIMEOUT_MS)),
    );
    const answer = await Promise.race([this.answers!.next(), late]);
    clearTimeout(timer);
    if (answer !== 'late' && !answer.done) return JSON.parse(answer.value) as ItemResult;
    this.stop();
    const reason =
      answer === 'late' ? `hang: no verdict in ${ITEM_TIMEOUT_MS} ms` : 'crash: the process ended';
    return { id: item.id, verdict: 'wrong', reason, ms: Date.now() - started };
  }

  stop(): void {
    if (this.child?.pid) process.kill(-this.child.pid, 'SIGKILL');
    this.child = undefined;
  }

  private restart(): void {
    if (this.child) this.stop();
    const script = fileURLToPath(new URL('coverage-worker.js', import.meta.url));
    const limited = `ulimit -d ${ITEM_MEMORY_MIB * 1024}; exec "$@"`;
    const args = [process.execPath, `--max-old-space-size=${Math.floor(ITEM_MEMORY_MIB / 2)}`, script, root];
    this.child = spawn('/bin/sh', ['-c', limited, 'sh', ...args], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    this.child.stdin!.on('error', () => undefined);
    this.answers = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    this.served = 1;
  }
}

const results: Judged[] = [];
const queue = [...items];
await Promise.all(
  Array.from({ length: WORKERS }, async () => {
    const worker = new Worker();
    for (let item = queue.shift(); item; item = queue.shift()) {
      const rule = outOfScope(item);
      if (rule) results.push({ id: item.id, verdict: 'outOfScope', reason: rule, ms: 0, item });
      else results.push(inScope(await worker.judge(item), item));
      line(results.at(-1)!);
    }
    worker.stop();
  }),
);
report();
process.exit(results.some(({ verdict }) => verdict === 'wrong') ? 1 : 0);

function inScope(result: ItemResult, item: CoverageItem): Judged {
  const isDynamic = result.verdict === 'refused' && dynamicQuantization.test(result.reason ?? '');
  return { ...result, item, verdict: isDynamic ? 'outOfScope' : result.verdict };
}

function line({
  id,
  verdict,
  reason,
  rows,
  vectors,
  mismatched,
  elements,
  disagreeing,
  answered,
  ms,
}: Judged): void {
  const facts =
    verdict === 'compiled'
      ? `rows ${rows}, ${vectors} vectors, mismatched ${mismatched}/${elements}, differs from the upload ${disagreeing}/${answered}`
      : (reason ?? '')
          .split('\n')
          .slice(0, verdict === 'wrong' ? 3 : 1)
          .join(' | ');
  console.log(`${verdict.padEnd(10)} ${id}  ${facts}  (${ms} ms)`);
}

function report(): void {
  const count = (list: readonly Judged[], verdict: Verdict): number =>
    list.filter((result) => result.verdict === verdict).length;
  const groups = new Map<string, Judged[]>();
  for (const result of results) {
    const key = `${result.item.category} / ${result.item.quant}`;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  console.log('\ncategory / quantization        items compiled refused wrong outOfScope');
  for (const [key, list] of [...groups].sort(([a], [b]) => a.localeCompare(b))) {
    const cells = (['compiled', 'refused', 'wrong', 'outOfScope'] as const).map((verdict) =>
      String(count(list, verdict)).padStart(8),
    );
    console.log(`${key.padEnd(30)} ${String(list.length).padStart(5)}${cells.join('')}`);
  }
  const reasons = new Map<string, number>();
  for (const { verdict, reason = '' } of results) {
    const kind = reason.replace(/"[^"]*"/g, '…').replace(/\d+/g, 'N');
    if (verdict !== 'compiled')
      reasons.set(`${verdict}: ${kind}`, (reasons.get(`${verdict}: ${kind}`) ?? 0) + 1);
  }
  console.log('\nreasons');
  for (const [reason, n] of [...reasons].sort(([, a], [, b]) => b - a))
    console.log(`${String(n).padStart(5)} ${reason.slice(0, 200)}`);
  const counted = results.filter(({ verdict }) => verdict !== 'outOfScope');
  const quantized = counted.filter(({ item, reason = '' }) => isQuantized(item) && !notStatic.test(reason));
  const nets = counted.filter(({ item }) => netCategories.includes(item.category));
  const sum = (key: 'mismatched' | 'elements' | 'disagreeing' | 'answered'): number =>
    results.reduce((total, result) => total + (result[key] ?? 0), 0);
  const floatNets = nets.filter(({ item, verdict }) => item.quant === 'float' && verdict === 'compiled');
  const labels = floatNets.reduce((total, { labelsAgreeing = 0 }) => total + labelsAgreeing, 0);
  const labelled = floatNets.reduce((total, { vectors = 0 }) => total + vectors, 0);
  console.log(
    `\nelements against ONNX Runtime on the executed graph: ${sum('mismatched')} mismatched of ${sum('elements')}`,
  );
  console.log(
    `elements of the uploaded files' answers: ${sum('disagreeing')} differ of ${sum('answered')} (float items: by quantization)`,
  );
  console.log(
    `float nets: largest output in the same place as the float model's in ${labels} of ${labelled} vectors`,
  );
  console.log(
    JSON.stringify({
      items: results.length,
      compiled: count(results, 'compiled'),
      refused: count(results, 'refused'),
      wrong: count(results, 'wrong'),
      outOfScope: count(results, 'outOfScope'),
      quantizedItems: quantized.length,
      quantizedCompiled: count(quantized, 'compiled'),
      nets: nets.length,
      netsCompiled: count(nets, 'compiled'),
    }),
  );
}
