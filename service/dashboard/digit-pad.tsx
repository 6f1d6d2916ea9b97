import { useEffect, useRef } from 'preact/hooks';

const SIDE = 28;
/** The pen's radius in cells, and how fast it fades: close to the thickness of the training digits. */
const PEN_RADIUS = 1.35;

/** A 28×28 drawing pad with values in [0, 1], white ink on black as in the training data. */
export function DigitPad({
  values,
  onChange,
}: {
  values: readonly number[];
  onChange: (values: number[]) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<{ x: number; y: number } | null>(null);

  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context === null || context === undefined) return;
    const image = context.createImageData(SIDE, SIDE);
    values.forEach((value, index) => {
      const grey = Math.round(value * 255);
      image.data.set([grey, grey, grey, 255], index * 4);
    });
    context.putImageData(image, 0, 0);
  }, [values]);

  const at = (event: PointerEvent): { x: number; y: number } => {
    const box = canvas.current!.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * SIDE,
      y: ((event.clientY - box.top) / box.height) * SIDE,
    };
  };

  const stroke = (from: { x: number; y: number }, to: { x: number; y: number }): void => {
    const next = [...values];
    const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) * 2));
    for (let step = 0; step <= steps; step++) {
      const px = from.x + ((to.x - from.x) * step) / steps;
      const py = from.y + ((to.y - from.y) * step) / steps;
      for (let y = Math.max(0, Math.floor(py - 2)); y <= Math.min(SIDE - 1, py + 2); y++) {
        for (let x = Math.max(0, Math.floor(px - 2)); x <= Math.min(SIDE - 1, px + 2); x++) {
          const ink = Math.min(1, Math.max(0, PEN_RADIUS + 0.5 - Math.hypot(x + 0.5 - px, y + 0.5 - py)));
          next[y * SIDE + x] = Math.max(next[y * SIDE + x]!, ink);
        }
      }
    }
    onChange(next);
  };

  return (
    <canvas
      ref={canvas}
      class="pad"
      width={SIDE}
      height={SIDE}
      aria-label="Draw a digit here; or choose one of the real digits below"
      role="img"
      onPointerDown={(event) => {
        canvas.current?.setPointerCapture(event.pointerId);
        last.current = at(event);
        stroke(last.current, last.current);
      }}
      onPointerMove={(event) => {
        if (last.current === null) return;
        const point = at(event);
        stroke(last.current, point);
        last.current = point;
      }}
      onPointerUp={() => (last.current = null)}
      onPointerCancel={() => (last.current = null)}
    />
  );
}
