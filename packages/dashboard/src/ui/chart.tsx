/** One bar of a chart: its parts from the bottom up. */
export interface Bar {
  readonly label: string;
  readonly parts: readonly { readonly value: number; readonly tone: string }[];
}

interface ChartProps {
  readonly bars: readonly Bar[];
  /** The chart's description for screen readers. */
  readonly title: string;
}

const WIDTH = 240;
const HEIGHT = 36;

/** A small chart of stacked bars. Each bar's title has its numbers. */
export function BarChart({ bars, title }: ChartProps) {
  const totals = bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0));
  const most = Math.max(1, ...totals);
  const step = WIDTH / Math.max(1, bars.length);
  return (
    <svg
      class="chart"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={title}
    >
      <line class="axis" x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {bars.map(({ label, parts }, at) => {
        let top = HEIGHT;
        return (
          <g key={label}>
            <title>{label}</title>
            {parts.map(({ value, tone }) => {
              if (value === 0) return null;
              const height = Math.max(1.5, (value / most) * (HEIGHT - 2));
              top -= height;
              return (
                <rect
                  key={tone}
                  class={`fill-${tone}`}
                  x={at * step + step * 0.1}
                  y={top}
                  width={step * 0.8}
                  height={height}
                />
              );
            })}
          </g>
        );
      })}
    </svg>
  );
}
