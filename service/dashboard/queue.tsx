import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { getStats, type Stats } from './api.js';
import { formatBytes, formatMs } from './badges.js';
import { Loading, useLoaded } from './loading.js';

export function Queue(_: { argument: string }) {
  const stats = useLoaded(getStats, 'stats', 2000);
  return (
    <>
      <h1>Queue and throughput</h1>
      <Loading of={stats}>
        {(now) => (
          <>
            <ul class="tiles">
              <Tile label="waiting" value={String(now.queue.queued)} />
              <Tile label="proving" value={String(now.queue.proving)} />
              <Tile label="oldest wait" value={formatMs(now.queue.oldestMs)} />
              <Tile label="engine" value={now.engine ?? 'none yet'} />
              <Tile label="chain" value={now.chain === null ? 'none' : String(now.chain.chainId)} />
              <Tile label="memory" value={formatBytes(now.rssBytes)} />
            </ul>
            <Plot minutes={now.minutes} />
          </>
        )}
      </Loading>
    </>
  );
}

function Tile({ label, value }: { label: string; value: string }) {
  return (
    <li class="card">
      <span class="quiet">{label}</span>
      <strong>{value}</strong>
    </li>
  );
}

const SERIES = [
  ['answered', '#0284c7'],
  ['proven', '#0f766e'],
  ['settled', '#a16207'],
] as const;

function Plot({ minutes }: { minutes: Stats['minutes'] }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data: uPlot.AlignedData = [
    minutes.map((minute) => Date.parse(minute.t) / 1000),
    ...SERIES.map(([name]) => minutes.map((minute) => minute[name])),
  ];
  useEffect(() => {
    const width = host.current!.clientWidth;
    const ink = getComputedStyle(document.documentElement).getPropertyValue('--ink').trim();
    plot.current = new uPlot(
      {
        width,
        height: 280,
        title: 'per minute, last hour',
        axes: [{ stroke: ink }, { stroke: ink }],
        series: [{}, ...SERIES.map(([label, stroke]) => ({ label, stroke, width: 2 }))],
      },
      data,
      host.current!,
    );
    const onResize = (): void => plot.current?.setSize({ width: host.current!.clientWidth, height: 280 });
    addEventListener('resize', onResize);
    return () => {
      removeEventListener('resize', onResize);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [minutes]);
  return (
    <div
      class="card plot"
      ref={host}
      role="img"
      aria-label="Answers, proofs and settlements per minute over the last hour"
    />
  );
}
