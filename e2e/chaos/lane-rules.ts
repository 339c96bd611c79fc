import type { Event, Lane, What } from "./history.ts";

/** Milliseconds from an engine's decision to deliver a message to its arrival, at most. */
const MAX_DELAY_MS = 5000;

/** Milliseconds after which an engine has made the message of a tick, however often it was killed meanwhile. */
const TICK_DELAY_MS = 60_000;

const MINUTE_MS = 60_000;

type Of<E extends What["e"]> = Extract<Event, { e: E }>;

/** A stretch of time, in milliseconds since 1970. */
interface Stretch {
  readonly message: string;
  readonly from: number;
  readonly to: number;
}

/** The parts of a history that a lane's limit concerns. */
interface LaneHistory {
  readonly begun: readonly Of<"begin">[];
  readonly ended: readonly Of<"end">[];
  readonly faults: readonly Of<"fault">[];
}

/** Checks that a queue keeps its width, and its order where it has one place. */
export function* queueFaults(events: readonly Event[]): Iterable<readonly [lane: string, text: string]> {
  for (const { lane } of events.filter(isOf("lane"))) {
    if (lane.kind !== "queue") continue;
    const turns = turnsOf(historyOf(events, lane));
    for (const text of overlaps(turns, lane.parallelism)) yield [lane.name, text];
    if (lane.parallelism > 1) continue;
    for (const [earlier, later] of pairs(inOrderOfAcceptance(events, lane, turns)))
      if (later.from < earlier.from)
        yield [
          lane.name,
          `"${later.message}" was accepted after "${earlier.message}", and arrived before it`,
        ];
  }
}

/** Checks that attempts with a flow control key keep to its limits. */
export function* keyFaults(events: readonly Event[]): Iterable<readonly [lane: string, text: string]> {
  for (const { lane } of events.filter(isOf("lane"))) {
    if (lane.kind === "queue") continue;
    const attempts = attemptsOf(historyOf(events, lane));
    const texts = lane.kind === "rate" ? rateFaults(attempts, lane) : overlaps(attempts, lane.parallelism);
    for (const text of texts) yield [lane.name, text];
  }
}

/** Checks that each tick of a schedule makes one message, which arrives. */
export function* scheduleFaults(
  events: readonly Event[],
): Iterable<readonly [schedule: string, text: string]> {
  for (const { schedule, ticks } of events.filter(isOf("ticks"))) {
    const minutes = new Set(ticks.map(({ at }) => Math.floor(at / MINUTE_MS)));
    if (minutes.size < ticks.length)
      yield [schedule, `it made ${ticks.length} messages in ${minutes.size} minutes`];
    const arrived = new Set(
      events.filter(isOf("tick")).flatMap((event) => (event.schedule === schedule ? [event.message] : [])),
    );
    for (const { message } of ticks)
      if (!arrived.delete(message)) yield [schedule, `its message ${message} never arrived`];
    for (const message of arrived) yield [schedule, `the message ${message} belongs to none of its ticks`];
    const [from, to] = lifeOf(events, schedule);
    for (let tick = Math.ceil(from / MINUTE_MS) * MINUTE_MS; tick + TICK_DELAY_MS < to; tick += MINUTE_MS)
      if (!ticks.some(({ at }) => at >= tick && at < tick + TICK_DELAY_MS))
        yield [schedule, `it made no message at ${new Date(tick).toISOString()}`];
  }
}

const isOf =
  <E extends What["e"]>(e: E) =>
  (event: Event): event is Of<E> =>
    event.e === e;

function historyOf(events: readonly Event[], { name }: Lane): LaneHistory {
  return {
    begun: events.filter(isOf("begin")).filter(({ lane }) => lane === name),
    ended: events.filter(isOf("end")).filter(({ lane }) => lane === name),
    faults: events.filter(isOf("fault")),
  };
}

/** A message keeps its place in the queue from its first attempt to its delivery, at least. */
function turnsOf({ begun, ended }: LaneHistory): Stretch[] {
  const firsts = new Map<string, number>();
  for (const { message, t } of begun) if (!firsts.has(message)) firsts.set(message, t);
  return [...firsts].map(([message, from]) => {
    const to = ended.find((event) => event.message === message && event.ok)?.t ?? Number.POSITIVE_INFINITY;
    return { message, from, to };
  });
}

/**
 * Attempts, from their arrival to their end. A kill may have ended an attempt earlier, for the engine or the endpoint. An
 * engine that was frozen still sends what it was about to send: nobody else knows of these attempts.
 */
function attemptsOf({ begun, ended, faults }: LaneHistory): Stretch[] {
  const ends = new Map(ended.map(({ by, t }) => [by, t]));
  const thawed = faults.filter(({ what }) => what.startsWith("SIGCONT"));
  return begun
    .filter(({ t }) => !thawed.some((fault) => t >= fault.t && t < fault.t + MAX_DELAY_MS))
    .map(({ message, by, t: from }) => {
      const cut = faults.find(({ t }) => t > from)?.t ?? Number.POSITIVE_INFINITY;
      return { message, from, to: Math.min(cut, ends.get(by) ?? Number.POSITIVE_INFINITY) };
    });
}

/** Finds moments at which more than `most` stretches go on. */
function* overlaps(stretches: readonly Stretch[], most: number): Iterable<string> {
  for (const { message, from } of stretches) {
    const others = stretches.filter((one) => one.from <= from && one.to > from);
    if (others.length > most)
      yield `${others.length} were on their way when "${message}" arrived, and ${most} may be: ${others.map((one) => one.message).join(", ")}`;
  }
}

/** Finds times with more attempts than the periods have room for that may touch them. */
function* rateFaults(
  attempts: readonly Stretch[],
  { rate, periodMs }: Extract<Lane, { kind: "rate" }>,
): Iterable<string> {
  for (const [at, { from }] of attempts.entries()) {
    for (const [later, { from: to }] of attempts.slice(at).entries()) {
      const most = rate * (Math.floor((to - from + MAX_DELAY_MS) / periodMs) + 2);
      if (later + 1 <= most) continue;
      yield `${later + 1} attempts began within ${Math.round(to - from)} ms, and ${most} may`;
      return;
    }
  }
}

/** The turns of messages, each of which was published when the one before had been accepted. */
function inOrderOfAcceptance(events: readonly Event[], { name }: Lane, turns: readonly Stretch[]): Stretch[] {
  const byMessage = new Map(turns.map((turn) => [turn.message, turn]));
  const published = events.filter(isOf("call")).flatMap(({ call }) => {
    return call.name === "publish" && call.lane === name ? [call.message] : [];
  });
  return [...new Set(published)].flatMap((message) => byMessage.get(message) ?? []);
}

function pairs<T>(list: readonly T[]): (readonly [T, T])[] {
  return list.slice(1).map((later, at) => [list[at] as T, later]);
}

/** From the first answer that a schedule was created to the first request to delete it. */
function lifeOf(events: readonly Event[], schedule: string): readonly [from: number, to: number] {
  const calls = events.filter(isOf("call"));
  const created = new Set(
    calls.flatMap(({ op, call }) => (call.name === "schedule" && call.schedule === schedule ? [op] : [])),
  );
  const answer = events.filter(isOf("answer")).find((event) => created.has(event.op) && event.answer.ok);
  const deleted = calls.find(({ call }) => call.name === "unschedule" && call.schedule === schedule);
  return [answer?.t ?? Number.POSITIVE_INFINITY, deleted?.t ?? 0];
}
