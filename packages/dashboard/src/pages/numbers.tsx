import type { ComponentChildren } from "preact";
import { ask } from "../api/http.ts";
import { useResource } from "../api/resource.ts";
import type { Numbers } from "../api/types.ts";
import { clock, duration } from "../format/time.ts";
import { BarChart } from "../ui/chart.tsx";
import { Link } from "../ui/link.tsx";
import { ErrorBox } from "../ui/states.tsx";

/** The numbers of the last hour: runs by state, failures, lag, and what waits. */
export function NumbersStrip() {
  const numbers = useResource("numbers", (signal) => ask<Numbers>("/v2/workflows/numbers", { signal }), {
    names: ["run", "dlq"],
    // The engine counts all runs of an hour for them.
    interval: 5000,
  });
  if (numbers.error && !numbers.data) return <ErrorBox error={numbers.error} retry={numbers.reload} />;
  return <Cards numbers={numbers.data ?? NONE} />;
}

const NONE: Numbers = {
  bucket: 60_000,
  buckets: [],
  now: { live: 0, due: 0, waiting: 0, held: 0, deadLetters: 0 },
};

type Bucket = Numbers["buckets"][number];

/** Bars of a chart: minutes are too many for its width. */
const BARS = 30;

function Cards({ numbers: { buckets, now } }: { readonly numbers: Numbers }) {
  const merged = merge(buckets);
  const sum = (key: "started" | "failed" | "succeeded"): number =>
    buckets.reduce((all, bucket) => all + bucket[key], 0);
  const lags = buckets.map(({ maxLag = 0 }) => maxLag);
  return (
    <section class="numbers" aria-label="The last hour in numbers">
      <Card
        name="Running"
        value={now.live.toLocaleString("en")}
        note={`${sum("started").toLocaleString("en")} started in the last hour`}
      >
        <BarChart
          title="Runs started in the last hour"
          bars={merged.map((one) => bar(one, [{ value: one.started, tone: "busy" }], "started"))}
        />
      </Card>
      <Card
        name="Ended"
        value={(sum("succeeded") + sum("failed")).toLocaleString("en")}
        note={`${sum("failed").toLocaleString("en")} failed in the last hour`}
      >
        <BarChart
          title="Runs that ended in the last hour, by their state"
          bars={merged.map((one) =>
            bar(
              one,
              [
                { value: one.failed, tone: "bad" },
                { value: one.canceled, tone: "quiet" },
                { value: one.succeeded, tone: "good" },
              ],
              "ended",
            ),
          )}
        />
      </Card>
      <Card
        name="Dead letters"
        value={<Link to="/dead-letters">{now.deadLetters.toLocaleString("en")}</Link>}
        note={now.deadLetters === 0 ? "nothing to do" : "wait for you"}
      >
        <BarChart
          title="Failed runs in the last hour"
          bars={merged.map((one) => bar(one, [{ value: one.failed, tone: "bad" }], "failed"))}
        />
      </Card>
      <Card
        name="Lag"
        value={duration(now.lag ?? 0)}
        note={`${now.due.toLocaleString("en")} due, ${now.waiting.toLocaleString("en")} scheduled, ${now.held.toLocaleString("en")} held`}
      >
        <BarChart
          title={`Longest lag in the last hour: ${duration(Math.max(0, ...lags))}`}
          bars={merged.map((one) => bar(one, [{ value: one.maxLag ?? 0, tone: "warn" }], "ms of lag"))}
        />
      </Card>
    </section>
  );
}

function bar(bucket: Bucket, parts: readonly { value: number; tone: string }[], word: string) {
  const all = parts.reduce((sum, { value }) => sum + value, 0);
  return { label: `${clock(bucket.time)}: ${all} ${word}`, parts };
}

/** Adds neighbours up, so that a chart has {@link BARS} bars. */
function merge(buckets: readonly Bucket[]): Bucket[] {
  const size = Math.max(1, Math.ceil(buckets.length / BARS));
  return Array.from({ length: Math.ceil(buckets.length / size) }, (_, at) =>
    buckets.slice(at * size, (at + 1) * size).reduce((one, other) => ({
      time: one.time,
      started: one.started + other.started,
      succeeded: one.succeeded + other.succeeded,
      failed: one.failed + other.failed,
      canceled: one.canceled + other.canceled,
      maxLag: Math.max(one.maxLag ?? 0, other.maxLag ?? 0),
    })),
  );
}

interface CardProps {
  readonly name: string;
  readonly value: ComponentChildren;
  readonly note: string;
  readonly children: ComponentChildren;
}

function Card({ name, value, note, children }: CardProps) {
  return (
    <div class="number-card">
      <h2 class="eyebrow">{name}</h2>
      <p class="number-value">{value}</p>
      <p class="muted">{note}</p>
      {children}
    </div>
  );
}
