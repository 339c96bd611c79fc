import { createHash, generateKeyPairSync } from "node:crypto";
import { boundHeaders, type DeliveryKind, HEADER } from "@perdure/core/protocol";
import { SignJWT } from "jose";
import {
  base64,
  failureBody,
  failureHeaders,
  history,
  RUN,
  runHeaders,
  sign,
  type Token,
} from "./delivery.ts";

type Headers = Readonly<Record<string, string>>;

/** A delivery as an engine sends it. */
export interface Genuine {
  readonly kind: DeliveryKind;
  readonly url: string;
  readonly body: string;
  /** Without the signature. */
  readonly headers: Headers;
}

/** A request to an endpoint. A repeated header has a list of values. */
export interface Sent {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

export const KINDS: readonly DeliveryKind[] = ["start", "resume", "callResult", "failure", "cancel"];

/** Creates a delivery to a workflow at `url` that accepts the payload. */
export function genuine(kind: DeliveryKind, url: string, payload: unknown): Genuine {
  const sourceBody = base64(JSON.stringify(payload));
  switch (kind) {
    case "start":
      return { kind, url, body: JSON.stringify(payload), headers: { [HEADER.messageId]: "msg_start" } };
    case "resume":
      return { kind, url, body: history(payload), headers: runHeaders() };
    case "callResult":
      return {
        kind,
        url,
        body: JSON.stringify({ status: 200, header: {}, body: "" }),
        headers: callHeaders(),
      };
    case "failure":
      return { kind, url, body: failureBody({ url, sourceBody }), headers: failureHeaders() };
    case "cancel":
      return { kind, url, body: failureBody({ url, sourceBody }), headers: cancelHeaders() };
    default:
      return kind satisfies never;
  }
}

/** Headers of the answer to the call of step "ask". */
export function callHeaders(): Record<string, string> {
  return {
    [HEADER.runId]: RUN,
    [HEADER.isCallResult]: "true",
    [HEADER.stepId]: "1",
    [HEADER.stepName]: "ask",
    [HEADER.stepType]: "Call",
    [HEADER.concurrent]: "1",
    [HEADER.messageId]: "msg_answer",
  };
}

function cancelHeaders(): Record<string, string> {
  return {
    [HEADER.runId]: RUN,
    [HEADER.callType]: "cancelCall",
    [HEADER.messageId]: "msg_cancel",
  };
}

/** Returns the token that Perdure's own engine creates for a delivery. */
export function tokenOf({ kind, url, headers }: Genuine): Token {
  const runId = headers[HEADER.runId];
  const bound = createHash("sha256")
    .update(boundHeaders(new globalThis.Headers(headers)))
    .digest("base64url");
  const messageId = String(headers[HEADER.messageId]);
  return { subject: url, claim: { kind, messageId, headers: bound, ...(runId ? { runId } : {}) } };
}

export async function signedBy(delivery: Genuine, token: Token = {}): Promise<Sent> {
  const signature = await sign(delivery.body, { ...tokenOf(delivery), ...token });
  return { ...delivery, headers: { ...delivery.headers, [HEADER.signature]: signature } };
}

type Forgery = (genuine: Genuine) => Promise<Sent>;

const now = (): number => Math.floor(Date.now() / 1000);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

/** Tokens with one wrong property each. */
const tokens: Readonly<Record<string, (delivery: Genuine) => Token>> = {
  "with another key": () => ({ key: "sig_of_a_stranger" }),
  "with the public key of development": () => ({ key: "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r" }),
  "by HS384": () => ({ algorithm: "HS384" }),
  "by HS512": () => ({ algorithm: "HS512" }),
  "for a body that differs in one byte": ({ body }) => ({ body: `${body.slice(0, -1)} ` }),
  "for no body": () => ({ claims: { body: undefined } }),
  "for another path": ({ url }) => ({ subject: `${url}/other` }),
  "for another query": ({ url }) => ({ subject: `${url}?x=1` }),
  "for no URL": () => ({ claims: { sub: undefined } }),
  "and expired a second ago": () => ({ expiresIn: -1 }),
  "and never expires": () => ({ claims: { exp: undefined } }),
  "and isn't valid yet": () => ({ claims: { nbf: now() + 60 } }),
  "by another issuer": () => ({ issuer: "Somebody" }),
  "by nobody": () => ({ claims: { iss: undefined } }),
  "for another kind": ({ kind }) => claiming({ kind: kind === "resume" ? "failure" : "resume" }),
  "for another run": () => claiming({ runId: "wfr_other" }),
  "for another message": () => claiming({ messageId: "msg_other" }),
  "for nothing that is one of ours": () => ({ claims: { perdure: null } }),
};

function claiming(more: object): Token {
  return { claims: { perdure: { kind: "resume", runId: RUN, messageId: "msg_last", ...more } } };
}

/** Forgeries of the signature, the body or the URL. */
const others: Readonly<Record<string, Forgery>> = {
  "without a signature": async (delivery) => delivery,
  "with an empty signature": async (delivery) => withSignature(delivery, ""),
  "with a signature that isn't one": async (delivery) => withSignature(delivery, "a.b.c"),
  "with `alg: none`": async (delivery) => unsigned(delivery, ""),
  "with `alg: none` and another's signature": async (delivery) => {
    const { headers } = await signedBy(delivery);
    return unsigned(delivery, String(headers[HEADER.signature]).split(".")[2] ?? "");
  },
  "signed by RS256": async (delivery) => {
    const claims = { iss: "Upstash", sub: delivery.url, exp: now() + 300, body: hashOf(delivery.body) };
    const token = new SignJWT(claims).setProtectedHeader({ alg: "RS256", typ: "JWT" });
    return withSignature(delivery, await token.sign(privateKey));
  },
  "with its body changed in one byte": async (delivery) => {
    const sent = await signedBy(delivery);
    return {
      ...sent,
      body: sent.body.replace(/[a-z\d](?=[^a-z\d]*$)/i, (last) => (last === "0" ? "1" : "0")),
    };
  },
  "with another query": async (delivery) => ({ ...(await signedBy(delivery)), url: `${delivery.url}?x=1` }),
};

function hashOf(body: string): string {
  return createHash("sha256").update(body).digest("base64url");
}

function withSignature(delivery: Genuine, signature: string): Sent {
  return { ...delivery, headers: { ...delivery.headers, [HEADER.signature]: signature } };
}

async function unsigned(delivery: Genuine, signature: string): Promise<Sent> {
  const { headers } = await signedBy(delivery);
  const [, payload] = String(headers[HEADER.signature]).split(".");
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
  return withSignature(delivery, `${none}.${payload}.${signature}`);
}

/** The headers that a delivery to a workflow may have. */
const MEANINGFUL: readonly string[] = Object.values(HEADER).filter((name) =>
  /^(?:Upstash-Workflow|Perdure)-/.test(name),
);

/** Returns a valid value of a header that differs from the current one. */
function otherValue(name: string, value: string | undefined): string {
  const likely = name === HEADER.callType ? "cancelCall" : /id$/i.test(name) ? "wfr_other" : "true";
  return value === likely ? "1" : likely;
}

/** Captured deliveries with one header changed or added. */
export function spoofings(delivery: Genuine): Record<string, Forgery> {
  const names = [...MEANINGFUL, HEADER.messageId, HEADER.retried, HEADER.label];
  return Object.fromEntries(
    names.map((name) => {
      const value = otherValue(name, delivery.headers[name]);
      const forge: Forgery = async (captured) => {
        const sent = await signedBy(captured);
        return { ...sent, headers: { ...sent.headers, [name]: value } };
      };
      return [`with ${name}: ${value}`, forge];
    }),
  );
}

/** Captured deliveries with one header repeated or removed. */
function repetitions(delivery: Genuine): Record<string, Forgery> {
  const forgeries: Record<string, Forgery> = {};
  for (const name of [...Object.keys(delivery.headers), HEADER.signature]) {
    const changed =
      (change: (value: string) => string | string[]): Forgery =>
      async (captured) => {
        const sent = await signedBy(captured);
        return { ...sent, headers: { ...sent.headers, [name]: change(String(sent.headers[name])) } };
      };
    forgeries[`with ${name} twice`] = changed((value) => [value, value]);
    forgeries[`with ${name} before another`] = changed((value) => [value, "wfr_other"]);
    forgeries[`with ${name} and a comma`] = changed((value) => `${value}, ${value}`);
    forgeries[`without ${name}`] = async (captured) => {
      const sent = await signedBy(captured);
      return {
        ...sent,
        headers: Object.fromEntries(Object.entries(sent.headers).filter(([one]) => one !== name)),
      };
    };
  }
  return forgeries;
}

/** Creates all forgeries of a delivery, by name. An endpoint must refuse each of them. */
export async function forgeriesOf(delivery: Genuine): Promise<readonly (readonly [string, Sent])[]> {
  const signed = Object.entries(tokens).map(([name, token]): [string, Forgery] => [
    `signed ${name}`,
    (captured) => signedBy(captured, token(captured)),
  ]);
  const all = [...signed, ...Object.entries({ ...others, ...spoofings(delivery), ...repetitions(delivery) })];
  return Promise.all(all.map(async ([name, forge]) => [name, await forge(delivery)] as const));
}

/** The complete message of an answer to an unauthorized caller, by status. */
export const STRANGER: Readonly<Record<number, string>> = {
  401: "The endpoint refuses the request.",
  403: "The endpoint refuses the request.",
};
