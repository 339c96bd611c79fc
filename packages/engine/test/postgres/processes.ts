import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { HEADER } from "@perdure/core/protocol";
import { afterEach, beforeEach, expect } from "vitest";
import { type Command, useDesk } from "../cli/desk.ts";

export const TOKEN = "token-0123456789abcdef";
export const KEYS = { current: "sig_a0123456789abcdef", next: "sig_b0123456789abcdef" };

/** A delivery that the endpoint got. */
export interface Delivery {
  readonly path: string;
  readonly messageId: string;
  readonly retried: string;
  readonly text: string;
  /** Milliseconds of `performance.now()`. */
  readonly at: number;
  answer(status?: number): void;
}

/** An endpoint of this process. */
export interface Endpoint {
  readonly deliveries: Delivery[];
  /** Whether it answers a delivery at once; otherwise the test answers it. */
  answers: (delivery: Delivery) => boolean;
  url(path: string): string;
}

/** A process of `perdure start`. */
export interface EngineProcess {
  readonly command: Command;
  readonly url: string;
  ask(method: string, path: string, headers?: Record<string, string>): Promise<Response>;
  /** Publishes a message to the endpoint. @returns its id */
  publish(to: string, headers?: Record<string, string>): Promise<string>;
  /** Kills it, and waits for its end. */
  kill(): Promise<void>;
}

/** An endpoint, and engines in processes of their own, for each test of a file. */
export function useProcesses(): {
  readonly endpoint: Endpoint;
  start(db: string, env?: Record<string, string>): Promise<EngineProcess>;
} {
  const { run } = useDesk();
  const endpoint: { -readonly [Key in keyof Endpoint]: Endpoint[Key] } = {
    deliveries: [],
    answers: () => true,
    url: (path) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`,
  };
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (part: string) => (text += part));
    request.on("end", () => {
      const delivery: Delivery = {
        path: String(request.url).slice(1),
        messageId: String(request.headers[HEADER.messageId.toLowerCase()]),
        retried: String(request.headers[HEADER.retried.toLowerCase()]),
        text,
        at: performance.now(),
        answer: (status = 200) => answer(response, status),
      };
      endpoint.deliveries.push(delivery);
      if (endpoint.answers(delivery)) delivery.answer();
    });
  });
  beforeEach(async () => {
    endpoint.deliveries = [];
    endpoint.answers = () => true;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    endpoint,
    async start(db, env = {}) {
      const command = run(["start", "--port", "0", "--allow-destination", "127.0.0.1"], {
        QSTASH_TOKEN: TOKEN,
        QSTASH_CURRENT_SIGNING_KEY: KEYS.current,
        QSTASH_NEXT_SIGNING_KEY: KEYS.next,
        PERDURE_DB: db,
        ...env,
      });
      await expect.poll(() => command.said(), { interval: 20 }).toMatch(/"listening"/);
      return engineOf(command, endpoint);
    },
  };
}

function answer(response: ServerResponse, status: number): void {
  response.writeHead(status).end("ok");
}

function engineOf(command: Command, endpoint: Endpoint): EngineProcess {
  const url = /"url":"([^"]+)"/.exec(command.said())?.[1] ?? "";
  const ask: EngineProcess["ask"] = (method, path, headers = {}) =>
    fetch(url + path, { method, headers: { Authorization: `Bearer ${TOKEN}`, ...headers } });
  return {
    command,
    url,
    ask,
    async publish(to, headers) {
      const response = await ask("POST", `/v2/publish/${endpoint.url(to)}`, headers);
      const body = (await response.json()) as { readonly messageId: string };
      expect({ status: response.status, body }).toMatchObject({ status: 200 });
      return body.messageId;
    },
    async kill() {
      command.child.kill("SIGKILL");
      await command.exit();
    },
  };
}
