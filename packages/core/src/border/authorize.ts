import { messageOf, WorkflowError } from "../kernel/errors.ts";
import type { Delivery, DeliveryKind } from "../protocol/delivery.ts";
import type { Outcome } from "../protocol/outcome.ts";
import type { Mail } from "./mail.ts";
import type { Verify } from "./signature.ts";

/** What an {@link Authorize} hook is told of a request. */
export interface AuthorizationRequest {
  /** `start`, `resume`, `callResult` or `failure`: decide on each of them. */
  readonly kind: DeliveryKind;
  /** The run, where the request names one. */
  readonly runId: string | undefined;
  readonly url: string;
  readonly headers: Headers;
  /** The body as it was received. */
  readonly body: string;
}

/** A check of your own. The request goes on only if it returns `true`; an error it throws refuses too. */
export type Authorize = (request: AuthorizationRequest) => boolean | Promise<boolean>;

/** Who may bring deliveries. */
export interface Door {
  readonly verify: Verify | undefined;
  readonly authorize: Authorize | undefined;
  /** The user wrote down that anybody may. */
  readonly open: boolean;
  /** The endpoint's URL as the engine knows it; undefined when it isn't configured. */
  readonly publicUrl: ((requested: URL) => string) | undefined;
}

type Refusal = Extract<Outcome, { kind: "refused" }>;

/**
 * Lets a request in, or says why not: 401 without a valid signature or with no check at all, 403 when the hook
 * says no. Where both a signature and a hook are set, both must pass.
 *
 * @returns undefined for a request that may go on
 */
export async function refusalOf(door: Door, mail: Mail, delivery: Delivery): Promise<Refusal | undefined> {
  if (!door.verify && !door.authorize) return door.open ? undefined : unprotected();
  if (door.verify) {
    try {
      await door.verify(mail, delivery, door.publicUrl?.(mail.url));
    } catch (error) {
      return { kind: "refused", status: 401, error: asError(error) };
    }
  }
  return door.authorize ? askHook(door.authorize, mail, delivery) : undefined;
}

/** True when a request that was let in is known to come from who it should. */
export function isGuarded(door: Door): boolean {
  return door.verify !== undefined || door.authorize !== undefined;
}

async function askHook(authorize: Authorize, mail: Mail, delivery: Delivery): Promise<Refusal | undefined> {
  const { kind, runId } = delivery;
  let reason = "said no";
  try {
    const request = { kind, runId, url: mail.request.url, headers: mail.headers, body: mail.body };
    if ((await authorize(request)) === true) return undefined;
  } catch (error) {
    // For the developer's eyes: the caller hasn't shown yet that it may know.
    console.error("[perdure] The authorize hook threw:", error);
    reason = "threw";
  }
  const error = new WorkflowError("forbidden", `The workflow's authorize hook ${reason}.`);
  return { kind: "refused", status: 403, error };
}

function unprotected(): Refusal {
  const message =
    'This endpoint has no way to tell who calls it. Set QSTASH_CURRENT_SIGNING_KEY and QSTASH_NEXT_SIGNING_KEY (or the option `keys`, `receiver` or `authorize`), or write down `verify: "off"`.';
  return { kind: "refused", status: 401, error: new WorkflowError("unauthorized", message) };
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new WorkflowError("unauthorized", messageOf(thrown));
}
