import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { HEADER } from "@perdure/core/protocol";
import { INHERITED } from "@perdure/test-support/inherited";
import { afterEach, expect } from "vitest";

export const CLI: string = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

/** `perdure`, in a process and a folder of its own. */
export interface Perdure {
  readonly url: string;
  /** What it prints comes to look like this. */
  saying(text: RegExp): Promise<void>;
  publish(destination: string): Promise<{ status: number; body: { messageId?: string; error?: string } }>;
  /** Tells it to stop. @returns its exit code */
  stop(): Promise<number | null>;
}

/** An endpoint that answers with a redirect. */
export interface App {
  readonly port: number;
  /** The ids of the messages that came. */
  readonly visits: (string | undefined)[];
}

export interface Processes {
  start(command: readonly [string, ...string[]], args: readonly string[], token: string): Promise<Perdure>;
  listen(): Promise<App>;
}

/** Processes and servers that end with the test. */
export function useProcesses(): Processes {
  const ends: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });
  return {
    async start([program, ...given], args, token) {
      // Deno needs all permissions for files below /dev, where temporary files may be.
      const folder = mkdtempSync("/tmp/perdure-runtime-");
      ends.push(() => rmSync(folder, { recursive: true }));
      const child = spawn(program, [...given, ...args, "--port", "0"], {
        cwd: folder,
        env: { ...INHERITED, NO_COLOR: "1", HOME: folder },
      });
      ends.push(() => end(child));
      let said = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (said += part));
      const saying = async (text: RegExp): Promise<void> => {
        await expect.poll(() => said, { interval: 20 }).toMatch(text);
      };
      await saying(/NEXT_SIGNING_KEY=|"listening"/);
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0] ?? "";
      return {
        url,
        saying,
        async publish(destination) {
          const answer = await fetch(`${url}/v2/publish/${destination}`, {
            method: "POST",
            headers: { Authorization: `Bearer ${token}`, [HEADER.retries]: "0" },
            body: "x",
          });
          return { status: answer.status, body: (await answer.json()) as object };
        },
        async stop() {
          const exit = once(child, "exit");
          child.kill("SIGTERM");
          return (await exit)[0];
        },
      };
    },
    async listen() {
      const visits: App["visits"] = [];
      const server = createServer((request, answer) => {
        visits.push(request.headers[HEADER.messageId.toLowerCase()]?.toString());
        request.resume();
        answer.writeHead(302, { Location: "http://127.0.0.1:1/" }).end();
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      ends.push(() => {
        server.closeAllConnections();
        server.close();
      });
      return { port: (server.address() as AddressInfo).port, visits };
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
