import { setTimeout as rest } from "node:timers/promises";
import { type Lane, now, type Tick, type What } from "./history.ts";
import { RETRIES } from "./program.ts";
import { type Requests, read, send } from "./requests.ts";
import type { System } from "./system.ts";

/** Messages that are published one right after the other. */
const BURST = 5;

/** Schedules, all of which tick at every full minute. */
const SCHEDULES: readonly string[] = Array.from({ length: 5 }, (_, at) => `schedule-${at}`);

const HEADERS = {
  "Upstash-Retries": String(RETRIES.retries),
  "Upstash-Retry-Delay": RETRIES.retryDelay,
};

export interface LanesOptions {
  readonly system: System;
  readonly write: (what: What) => void;
  readonly requests: Requests;
  /** Messages of each lane. */
  readonly messages: number;
  /** Milliseconds in which they are published. */
  readonly duration: number;
}

/** Publishes messages that share limits: of queues and of flow control keys. Schedules tick beside them. */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #lanes: readonly Lane[];

  constructor(options: LanesOptions) {
    this.#options = options;
    const { messages, duration } = options;
    this.#lanes = [
      { kind: "queue", name: "queue-of-one", parallelism: 1 },
      { kind: "queue", name: "queue-of-three", parallelism: 3 },
      { kind: "parallelism", name: "key-of-two", parallelism: 2 },
      // Somewhat more than comes in.
      {
        kind: "rate",
        name: "key-with-rate",
        rate: Math.max(2, Math.ceil((1500 * messages) / duration)),
        periodMs: 1000,
      },
    ];
  }

  /** Publishes all messages. */
  async run(): Promise<void> {
    const { write } = this.#options;
    for (const lane of this.#lanes) write({ e: "lane", lane });
    await Promise.all([
      ...this.#lanes.map((lane) => this.#publish(lane)),
      ...SCHEDULES.map((schedule) => this.#create(schedule)),
    ]);
  }

  /** Ends the schedules. */
  async finish(): Promise<void> {
    const { system, requests, write } = this.#options;
    for (const schedule of SCHEDULES) {
      await requests.insist({ name: "unschedule", schedule }, () =>
        send(`${system.url}/v2/schedules/${schedule}`, { method: "DELETE" }),
      );
      const { logs } = await read<{ logs: readonly { messageId: string; time: number }[] }>(
        `${system.url}/v2/logs?scheduleId=${schedule}&state=CREATED&count=1000`,
      );
      const ticks = logs.map(({ messageId, time }): Tick => ({ message: messageId, at: time }));
      write({ e: "ticks", schedule, ticks });
    }
  }

  async #publish(lane: Lane): Promise<void> {
    const { system, requests, messages, duration } = this.#options;
    if (lane.kind === "queue") await this.#makeQueue(lane);
    const began = now();
    for (let at = 0; at < messages; at++) {
      if (at % BURST === 0) await rest(Math.max(0, began + (duration * at) / messages - now()));
      const message = `${lane.name}-${at}`;
      const way = lane.kind === "queue" ? `enqueue/${lane.name}` : "publish";
      const url = `${system.url}/v2/${way}/${system.endpointUrl}/lane/${lane.name}/${message}`;
      const headers = { ...HEADERS, ...limitsOf(lane), "Upstash-Deduplication-Id": message };
      await requests.insist({ name: "publish", message, lane: lane.name }, () => send(url, { headers }));
    }
  }

  async #makeQueue({ name: queueName, parallelism }: Extract<Lane, { kind: "queue" }>): Promise<void> {
    const body = JSON.stringify({ queueName, parallelism });
    while (!(await send(`${this.#options.system.url}/v2/queues`, { body }).catch(() => undefined))?.ok)
      await rest(100);
  }

  async #create(schedule: string): Promise<void> {
    const { system, requests } = this.#options;
    const url = `${system.url}/v2/schedules/${system.endpointUrl}/tick/${schedule}`;
    const headers = { ...HEADERS, "Upstash-Cron": "* * * * *", "Upstash-Schedule-Id": schedule };
    await requests.insist({ name: "schedule", schedule }, () => send(url, { headers }));
  }
}

function limitsOf(lane: Lane): Record<string, string> {
  switch (lane.kind) {
    case "queue":
      return {};
    case "parallelism":
      return {
        "Upstash-Flow-Control-Key": lane.name,
        "Upstash-Flow-Control-Value": `parallelism=${lane.parallelism}`,
      };
    case "rate":
      return {
        "Upstash-Flow-Control-Key": lane.name,
        "Upstash-Flow-Control-Value": `rate=${lane.rate}, period=${lane.periodMs / 1000}s`,
      };
    default:
      return lane satisfies never;
  }
}
