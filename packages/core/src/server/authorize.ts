import type { Delivery, DeliveryKind } from "../protocol/delivery.ts";
import { type Refusal, refused } from "../protocol/outcome.ts";
import { withoutEngineHeaders } from "../protocol/token.ts";
import { SIGNING_KEY_VARIABLES } from "../protocol/variables.ts";
import { writeLine } from "../util/console.ts";
import { messageOf } from "../util/errors.ts";
import { ANSWER_TIMEOUT_SECONDS, withTimeout } from "../util/timeout.ts";
import type { IncomingRequest, RequestHead } from "./read-request.ts";
import type { VerifiedToken, Verify, VerifyBody } from "./signature.ts";

/** The request as an {@link Authorize} hook sees it. */
export interface AuthorizationRequest {
  /** `start`, `resume`, `callResult`, `failure` or `cancel`: decide on each of them. */
  readonly kind: DeliveryKind;
  /** The run, where the request names one. */
  readonly runId: string | undefined;
  readonly url: string;
  readonly headers: Headers;
  /** The body as it was received. */
  readonly body: string;
}

/** A custom check. It accepts a request by returning `true`; any other result, or an error, refuses it. */
export type Authorize = (request: AuthorizationRequest) => boolean | Promise<boolean>;

/** The checks that a request must pass before the endpoint handles it. */
export interface AccessPolicy {
  readonly verify: Verify | undefined;
  readonly authorize: Authorize | undefined;
  /** True with `verify: "off"`: the endpoint accepts every caller. */
  readonly open: boolean;
  /** The endpoint's URL as the engine knows it; undefined when it isn't configured. */
  readonly publicUrl: ((requested: URL) => string) | undefined;
  /** The hosts that the endpoint may be called under; any when it is undefined. */
  readonly allowedHosts: readonly string[] | undefined;
  /** True when only the request tells the endpoint's host. */
  readonly hostIsGuessed: boolean;
  /** The region that the request names, when the endpoint has regions, but not this one. */
  readonly unknownRegion?: string;
}

const UNPROTECTED = `This endpoint checks nothing. Set ${SIGNING_KEY_VARIABLES.join(" and ")}, or \`keys\`, \`receiver\`, \`authorize\` or \`verify: "off"\`.`;

/**
 * Accepts or refuses a request: 401 without a valid signature, or without any check; 403 when the hook refuses. With a
 * signature and a hook, both must pass.
 *
 * The body of a request is read only after its token has been checked.
 *
 * @param open reads the body
 */
export async function authorizeRequest(
  access: AccessPolicy,
  head: RequestHead,
  delivery: Delivery,
  open: () => Promise<IncomingRequest | Refusal>,
): Promise<IncomingRequest | Refusal> {
  if (access.unknownRegion !== undefined)
    return refuse(401, `There is no region ${JSON.stringify(access.unknownRegion)}.`);
  if (!isAuthenticated(access) && !access.open) return refuse(401, UNPROTECTED);
  let checkBody: VerifyBody | undefined;
  try {
    checkBody = await access.verify?.(head, delivery, access.publicUrl?.(head.url));
  } catch (error) {
    return refuse(401, messageOf(error));
  }
  const opened = await open();
  if ("kind" in opened) return opened;
  let request = opened;
  try {
    const token = await checkBody?.(request);
    if (token) request = asTheEngineMeans(request, token, access);
  } catch (error) {
    return refuse(401, messageOf(error));
  }
  if (access.allowedHosts && !isAllowedHost(access.allowedHosts, request.url))
    return refuse(403, `${request.url.host} isn't one of allowedHosts.`);
  return (await callAuthorizeHook(access, request, delivery)) ?? request;
}

function asTheEngineMeans(
  request: IncomingRequest,
  { calledUrl, isCall }: VerifiedToken,
  { publicUrl }: AccessPolicy,
): IncomingRequest {
  return {
    ...request,
    // The engine reaches the endpoint there. A request may name another host, or an address that only this machine has.
    url: calledUrl && !publicUrl && calledUrl !== request.url.href ? new URL(calledUrl) : request.url,
    // The engine sends a call's headers as the calling workflow wrote them, so the engine says nothing in them.
    headers: isCall ? withoutEngineHeaders(request.headers) : request.headers,
  };
}

/** Whether the host of a URL, with or without its port, is one of these. */
export function isAllowedHost(hosts: readonly string[], url: URL | string): boolean {
  const { host, hostname } = new URL(url);
  return hosts.includes(host) || hosts.includes(hostname);
}

async function callAuthorizeHook(
  { authorize }: AccessPolicy,
  { request, headers, body }: IncomingRequest,
  { kind, runId }: Delivery,
): Promise<Refusal | undefined> {
  if (!authorize) return undefined;
  try {
    const verdict = authorize({ kind, runId, url: request.url, headers, body });
    if ((await withTimeout(ANSWER_TIMEOUT_SECONDS, "It", verdict)) === true) return undefined;
    return refuse(403, "authorize said no.");
  } catch (error) {
    return refuse(403, "authorize failed:", error);
  }
}

/** True when each accepted request has passed a signature check or the hook. */
export function isAuthenticated(access: AccessPolicy): boolean {
  return Boolean(access.verify ?? access.authorize);
}

// The reason goes to the console only: the caller isn't authorized to see it.
function refuse(status: 401 | 403, reason: string, ...more: unknown[]): Refusal {
  writeLine("warn", `A request was refused with ${status}. ${reason}`, ...more);
  const code = status === 401 ? "unauthorized" : "forbidden";
  return refused(status, code, "The endpoint refuses the request.");
}
