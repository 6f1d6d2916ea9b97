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
            <section class="card">
              <h2>Per minute, last hour</h2>
              <Plot minutes={now.minutes} />
            </section>
            <section class="card">
              <h2>Hosts</h2>
              {now.hosts.length === 0 ? (
                <p class="quiet">No host holds a lease.</p>
              ) : (
                <div class="scroll">
                  <table>
                    <thead>
                      <tr>
                        <th scope="col">part</th>
                        <th scope="col">state</th>
                        <th scope="col">engine</th>
                      </tr>
                    </thead>
                    <tbody>
                      {now.hosts.map((host, index) => (
                        <tr key={index}>
                          <th scope="row">{host.kind}</th>
                          <td>
                            <span class={`badge ${host.state === 'ready' ? 'good' : 'busy'}`}>
                              {host.state}
                            </span>
                          </td>
                          <td>{host.engine ?? '–'}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              )}
            </section>
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
  ['answered', '--series-1'],
  ['proven', '--series-2'],
  ['settled', '--series-3'],
] as const;

const clock = (seconds: number): string => new Date(seconds * 1000).toTimeString().slice(0, 5);

function Plot({ minutes }: { minutes: Stats['minutes'] }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data: uPlot.AlignedData = [
    minutes.map((minute) => Date.parse(minute.t) / 1000),
    ...SERIES.map(([name]) => minutes.map((minute) => minute[name])),
  ];
  useEffect(() => {
    // Resolved by the browser: the variables hold both schemes, and a canvas understands neither.
    const colour = (name: string): string => {
      host.current!.style.color = `var(${name})`;
      return getComputedStyle(host.current!).color;
    };
    const axis = {
      stroke: colour('--quiet'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line'), width: 1 },
    };
    const size = () => ({ width: host.current!.clientWidth, height: 260 });
    plot.current = new uPlot(
      {
        ...size(),
        // A quiet hour still has a scale: counts are whole.
        scales: { y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map(clock) },
          { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000], size: 44 },
        ],
        series: [
          { label: 'time', value: (_, seconds) => (seconds === null ? '–' : clock(seconds)) },
          ...SERIES.map(([label, name]) => ({
            label,
            stroke: colour(name),
            width: 2,
            points: { show: false },
            fill: colour(name).replace('rgb(', 'rgba(').replace(')', ', 0.12)'),
          })),
        ],
      },
      data,
      host.current!,
    );
    const onResize = (): void => plot.current?.setSize(size());
    addEventListener('resize', onResize);
    return () => {
      removeEventListener('resize', onResize);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [minutes]);
  return (
    <div
      class="plot"
      ref={host}
      role="img"
      aria-label="Answers, proofs and settlements per minute over the last hour"
    />
  );
}
