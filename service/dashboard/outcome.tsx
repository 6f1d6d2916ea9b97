import type { Inference, OutputTensor } from './api.js';
import { isOver } from './api.js';
import { Digest, formatMs } from './badges.js';

/** The proven integers, unless the model also gives real numbers made from them. */
export const isShown = (output: OutputTensor, _: number, all: readonly OutputTensor[]): boolean =>
  !output.proven || all.every(({ proven }) => proven);

const formatValue = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(2));

/** Short outputs as bars, the largest marked; long ones as text. */
export function Output({ output }: { output: OutputTensor }) {
  const values = output.data;
  if (values.length > 64) return <code class="block">{values.slice(0, 256).join(', ')}</code>;
  const best = values.indexOf(Math.max(...values));
  const low = Math.min(0, ...values);
  const span = Math.max(...values) - low || 1;
  return (
    <div class="answer">
      <p class="verdict" aria-label={`Largest of ${output.name}`}>
        {values.length > 1 ? best : formatValue(values[0]!)}
      </p>
      <div
        class="bars"
        role="img"
        aria-label={`Output ${output.name}: largest at ${best}; values ${values.join(', ')}`}
      >
        {values.map((value, index) => (
          <div class={index === best ? 'bar best' : 'bar'} key={index}>
            <span>{index}</span>
            <svg aria-hidden="true" width="100%" height="10">
              <rect class="track" width="100%" height="10" rx="5" />
              <rect class="fill" width={`${Math.max(1, (100 * (value - low)) / span)}%`} height="10" rx="5" />
            </svg>
            <span class="number">{formatValue(value)}</span>
          </div>
        ))}
      </div>
    </div>
  );
}

const STEPS = ['answered', 'proving', 'proven', 'submitted', 'settled'] as const;

/** What happens at each step, and how long it took: stages as the service names them. */
const EXPLAINED: Record<(typeof STEPS)[number], { text: string; stages: readonly string[] }> = {
  answered: { text: 'ONNX Runtime ran the model', stages: ['answer'] },
  proving: { text: 'every integer inside is computed again', stages: ['witness', 'prove'] },
  proven: { text: 'checked by its maker, signed into a receipt', stages: ['receipt'] },
  submitted: { text: 'sent to the contract', stages: [] },
  settled: { text: 'verified by the contract, and final', stages: ['settle'] },
};

export function Progress({ inference }: { inference: Inference }) {
  const steps = inference.settlement === 'none' ? STEPS.slice(0, 3) : STEPS;
  const reached = STEPS.indexOf(inference.state as (typeof STEPS)[number]) + (isOver(inference) ? 1 : 0);
  const { timings, settled } = inference;
  return (
    <>
      <ol class="steps" aria-label="Progress">
        {steps.map((step, index) => (
          <li
            key={step}
            class={index < reached ? 'done' : index === reached ? 'now' : ''}
            aria-current={index === reached ? 'step' : undefined}
          >
            <strong>{step}</strong>
            <span class="quiet">
              {EXPLAINED[step].text}
              {EXPLAINED[step].stages
                .filter((stage) => timings[stage] !== undefined)
                .map((stage) => ` · ${stage} ${formatMs(timings[stage]!)}`)
                .join('')}
              {step === 'settled' && settled?.['blockNumber'] !== undefined
                ? ` · block ${String(settled['blockNumber'])}`
                : ''}
            </span>
          </li>
        ))}
      </ol>
      {inference.error ? (
        <p class="notice bad" role="alert">
          {inference.error.code}: {inference.error.detail}
        </p>
      ) : null}
      <p class="quiet">
        inference <Digest value={inference.id} />
      </p>
    </>
  );
}
