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

/** Settings of {@link poolTransport}. */
export interface PoolOptions {
  /** Maximum bytes of an answer's body that the transport reads. */
  readonly maxBytes: number;
  /** Decides about each address to which a name resolves. */
  readonly policy?: DestinationPolicy | undefined;
  /** Default: the hosts file, the machine's name servers, and the system. */
  readonly lookup?: LookupFunction;
  /**
   * Milliseconds for which the pool keeps an idle connection. 4000 by default: servers seldom close theirs
   * sooner.
   */
  readonly idle?: number;
  /** Maximum number of idle connections to all destinations of a scheme together. 512 by default. */
  readonly kept?: number;
  /**
   * A reused connection that closes without an answer within this many milliseconds counts as stale. 1000 by
   * default.
   */
  readonly stale?: number;
}

/**
 * A transport with a pool of connections that behaves the same on every runtime. A policy judges the address
 * to which the transport connects, so a name that resolves differently by then can't evade it. The transport
 * sets no time limit for an attempt: the caller's signal ends it.
 */
export function poolTransport(options: PoolOptions): Transport {
  const { maxBytes, policy, lookup = createLookup(), idle = 4000, kept = 512, stale = 1000 } = options;
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
  /** Agents that use each connection once. */
  readonly fresh: Agents;
  readonly stale: number;
  readonly underWay: Set<ClientRequest>;
}

function toAgents(options: AgentOptions, kept: number): Agents {
  // A proxy would resolve names itself and so bypass the policy.
  const direct = { ...options, proxyEnv: {} };
  return { http: bounded(new HttpAgent(direct), kept), https: bounded(new HttpsAgent(direct), kept) };
}

/** Makes an agent close a returned connection while it already keeps `kept` idle ones. */
function bounded<A extends HttpAgent>(agent: A, kept: number): A {
  const keep = agent.keepSocketAlive.bind(agent);
  const idle = (): number =>
    Object.values(agent.freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0);
  return Object.assign(agent, {
    keepSocketAlive: (socket: Parameters<typeof keep>[0]) => idle() < kept && keep(socket),
  });
}

/**
 * Sends a request, and repeats it once after a stale connection: a server may close a kept connection while a
 * request is on its way, and then hasn't received it, so the attempt hasn't failed. After a longer time the
 * server may have received the request and still be at work: that case is left to the retries.
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
  /** Whether the request used a kept connection, which closed before a byte of the answer came. */
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
      // This header decides whose certificate the runtime expects.
      host: target.host,
      ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
    },
    // TLS permits no address as the server name, and no name with a final dot.
    ...(secure && !isIP(host) ? { servername: host.replace(/\.$/, "") } : {}),
    signal,
    // Proxies that trace requests add headers to an answer: the limit is four times Node's default.
    maxHeaderSize: 64 * 1024,
  });
  let before: number | undefined;
  sent.once("socket", (socket) => {
    if (sent.reusedSocket) before = socket.bytesRead;
    // Otherwise Deno would repeat any failed request by itself, however long it took.
    sent.reusedSocket = false;
  });
  wire.underWay.add(sent);
  sent.once("close", () => wire.underWay.delete(sent));
  const answer = answerTo(sent);
  // The runtime would write a string together with the headers, in one encoding; headers need their own.
  sent.end(typeof body === "string" ? Buffer.from(body) : body);
  return {
    answer,
    wasStale: (error) =>
      before !== undefined && before === sent.socket?.bytesRead && ENDED.has(Object(error).code),
  };
}

function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let answered = false;
    sent.once("response", (answer) => {
      answered = true;
      resolve(answer);
    });
    // An error may also follow the answer, when a server doesn't wait for the whole request.
    sent.on("error", reject);
    sent.once("upgrade", (_answer, socket) => {
      socket.destroy();
      reject(new Error("the answer is another protocol's"));
    });
    sent.once("close", () => {
      // Every request closes; an error with its stack is worth making for one without an answer only.
      if (!answered)
        reject(
          Object.assign(new Error("the connection was closed without an answer"), { code: "ECONNRESET" }),
        );
    });
  });
}

/**
 * Returns the part of a URL behind its host without normalizing it; undefined when a request can't contain
 * it.
 */
function rawPath(url: string): string | undefined {
  const path = /^https?:\/\/[^/?#\\]+([^#]*)/i.exec(url)?.[1];
  if (path === undefined || !/^[\x21-\x5b\x5d-\x7e]*$/.test(path)) return undefined;
  return path.startsWith("/") ? path : `/${path}`;
}

/** Groups header values by lower-case names. */
function toLists(raw: readonly string[]): Record<string, string[]> {
  const lists = new Map<string, string[]>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    lists.set(name, [...(lists.get(name) ?? []), raw[at + 1] as string]);
  }
  return Object.fromEntries(lists);
}
