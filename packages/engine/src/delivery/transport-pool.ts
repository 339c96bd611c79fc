import {
  type AgentOptions,
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { decodeReply } from "./decode.ts";
import { announced, guardedLookup, sharedLookup } from "./lookup.ts";
import type { DestinationPolicy } from "./policy.ts";
import { createLookup } from "./resolver.ts";
import { type OutgoingRequest, readUpTo, type Transport } from "./transport.ts";

/** How connections are made, and how many of them are kept. */
export interface PoolOptions {
  /** Bytes of an answer's body that are read. */
  readonly maxBytes: number;
  /** Asked about each address that a name turns out to mean. */
  readonly policy?: DestinationPolicy | undefined;
  /** By the hosts file, the machine's name servers and the system by default. */
  readonly lookup?: LookupFunction;
  /** Milliseconds for which an idle connection is kept. 4000 by default: servers seldom close theirs any sooner. */
  readonly idle?: number;
  /** Idle connections that are kept, to all destinations of a scheme together. 256 by default. */
  readonly kept?: number;
  /** Milliseconds within which a used connection that ends without an answer wasn't one any more. 1000 by default. */
  readonly stale?: number;
}

/**
 * Connections that are kept and shared, the same on every runtime. With a policy, what counts is the address that is
 * connected to: a name that means another one by then gains nothing. How long an attempt may take is its own affair.
 */
export function poolTransport(options: PoolOptions): Transport {
  const { maxBytes, policy, lookup = createLookup(), idle = 4000, kept = 256, stale = 1000 } = options;
  const shared = sharedLookup(lookup);
  const wire: Wire = {
    lookup: policy ? guardedLookup(policy, shared) : shared,
    kept: toAgents({ keepAlive: true, timeout: idle }, kept),
    fresh: toAgents({}, 0),
    stale,
    underWay: new Set(),
  };
  return {
    async send(request) {
      request.signal.throwIfAborted();
      const answer = await ask(request, wire);
      const most = request.maxBytes ?? maxBytes;
      const read = await readUpTo(answer, most, request.hold);
      const reply = { status: answer.statusCode as number, headers: toLists(answer.rawHeaders), ...read };
      return decodeReply(reply, most);
    },
    async close() {
      for (const request of wire.underWay) request.destroy(new Error("the transport was closed"));
      for (const agent of Object.values(wire.kept)) agent.destroy();
    },
  };
}

interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

interface Wire {
  readonly lookup: LookupFunction;
  readonly kept: Agents;
  /** Their connections are used once. */
  readonly fresh: Agents;
  readonly stale: number;
  readonly underWay: Set<ClientRequest>;
}

function toAgents(options: AgentOptions, kept: number): Agents {
  // A proxy would look names up by itself, past the policy.
  const direct = { ...options, proxyEnv: {} };
  return { http: bounded(new HttpAgent(direct), kept), https: bounded(new HttpsAgent(direct), kept) };
}

/** The agent, which closes what comes back to it while it has enough to keep. */
function bounded<A extends HttpAgent>(agent: A, kept: number): A {
  const keep = agent.keepSocketAlive.bind(agent);
  const idle = (): number =>
    Object.values(agent.freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0);
  return Object.assign(agent, {
    keepSocketAlive: (socket: Parameters<typeof keep>[0]) => idle() < kept && keep(socket),
  });
}

/**
 * A server may close a connection that is kept while a request is on its way to it, which it then knows nothing of: the
 * request goes out once more, and the attempt isn't one that failed. What takes longer has been heard, and may be at
 * work still: it is for the retries.
 */
async function ask(request: OutgoingRequest, wire: Wire): Promise<IncomingMessage> {
  const begun = performance.now();
  const first = open(request, wire, wire.kept);
  try {
    return await first.answer;
  } catch (error) {
    const unheard = first.wasStale(error) && performance.now() - begun < wire.stale;
    if (!unheard) throw error;
    return open(request, wire, wire.fresh).answer;
  }
}

interface Exchange {
  readonly answer: Promise<IncomingMessage>;
  /** Whether it went over a connection that had been used before, and ended without a byte. */
  readonly wasStale: (error: unknown) => boolean;
}

/** The runtimes' error codes for a closed connection. */
const ENDED: ReadonlySet<unknown> = new Set(["ECONNRESET", "EPIPE"]);

function open(request: OutgoingRequest, wire: Wire, agents: Agents): Exchange {
  const { url, method, headers, body, signal, lookUp } = request;
  const target = new URL(url);
  const secure = target.protocol === "https:";
  const host = target.hostname.replace(/^\[(.*)\]$/, "$1");
  const sent = (secure ? httpsRequest : httpRequest)({
    agent: secure ? agents.https : agents.http,
    lookup: lookUp ? announced(wire.lookup, lookUp) : wire.lookup,
    host,
    port: target.port || (secure ? 443 : 80),
    path: rawPath(url) ?? target.pathname + target.search,
    method,
    headers: {
      ...headers,
      // What it says decides whose certificate is asked for.
      host: target.host,
      ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
    },
    // No certificate is asked for by an address, nor by a name with the root's dot.
    ...(secure && !isIP(host) ? { servername: host.replace(/\.$/, "") } : {}),
    signal,
    // Proxies that trace requests add to what an endpoint says: four times what Node takes otherwise.
    maxHeaderSize: 64 * 1024,
  });
  let before: number | undefined;
  sent.once("socket", (socket) => {
    if (sent.reusedSocket) before = socket.bytesRead;
    // Deno would send anything a second time by itself, however long it took.
    sent.reusedSocket = false;
  });
  wire.underWay.add(sent);
  sent.once("close", () => wire.underWay.delete(sent));
  const answer = answerTo(sent);
  // A text would share a write, and its encoding, with the headers: those have one of their own.
  sent.end(typeof body === "string" ? Buffer.from(body) : body);
  return {
    answer,
    wasStale: (error) =>
      before !== undefined && before === sent.socket?.bytesRead && ENDED.has(Object(error).code),
  };
}

function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once("response", resolve);
    // Also after the answer: of a server that didn't wait for the whole request.
    sent.on("error", reject);
    sent.once("upgrade", (_answer, socket) => {
      socket.destroy();
      reject(new Error("the answer is another protocol's"));
    });
    sent.once("close", () => {
      const error = new Error("the connection was closed without an answer");
      reject(Object.assign(error, { code: "ECONNRESET" }));
    });
  });
}

/** Returns the part of a URL behind its host without normalizing it; undefined when a request can't contain it. */
function rawPath(url: string): string | undefined {
  const path = /^https?:\/\/[^/?#\\]+([^#]*)/i.exec(url)?.[1];
  if (path === undefined || !/^[\x21-\x5b\x5d-\x7e]*$/.test(path)) return undefined;
  return path.startsWith("/") ? path : `/${path}`;
}

/** By names in lower case: what came several times is a list. */
function toLists(raw: readonly string[]): Record<string, string[]> {
  const lists = new Map<string, string[]>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    lists.set(name, [...(lists.get(name) ?? []), raw[at + 1] as string]);
  }
  return Object.fromEntries(lists);
}
