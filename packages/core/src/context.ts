import type { Client } from "@upstash/qstash";
import type { CallRequest } from "./protocol/call.ts";
import type { Env } from "./protocol/variables.ts";
import type { AnthropicMessage, ChatCompletion, SentEmail, SentEmails } from "./steps/api-answers.ts";
import {
  type AnthropicSettings,
  anthropic,
  type CallResponse,
  type CallWorkflow,
  call,
  createWebhook,
  type EventResponse,
  type InvokeResponse,
  type InvokeSettings,
  inStep,
  invoke,
  type NotifyStepResponse,
  notify,
  type OpenAISettings,
  openai,
  type ResendSettings,
  type RollbackOptions,
  resend,
  run,
  type Step,
  type StepOptions,
  type StepWork,
  sleep,
  sleepUntil,
  type WaitOptions,
  type WaitResponse,
  type Webhook,
  type WebhookEventResponse,
  type WebhookResponse,
  type WorkflowEvent,
  waitForEvent,
  waitForWebhook,
} from "./steps/index.ts";
import { warnOnce } from "./util/console.ts";
import type { Duration } from "./util/duration.ts";
import { messageOf } from "./util/errors.ts";
import type { Jsonify } from "./util/jsonify.ts";

/** Typed calls of common services. */
export interface WorkflowApi {
  readonly openai: {
    call<Result = ChatCompletion, Body = unknown>(
      name: string,
      settings: OpenAISettings<Body>,
    ): Promise<CallResponse<Result>>;
  };
  readonly anthropic: {
    call<Result = AnthropicMessage, Body = unknown>(
      name: string,
      settings: AnthropicSettings<Body>,
    ): Promise<CallResponse<Result>>;
  };
  readonly resend: {
    call<Batch extends boolean = false, Result = Batch extends true ? SentEmails : SentEmail, Body = unknown>(
      name: string,
      settings: ResendSettings<Body, Batch>,
    ): Promise<CallResponse<Result>>;
  };
}

/** A run's properties, as the workflow and its failure function see them. */
export interface RunContext<Payload = unknown> {
  /** The run's payload, after the schema or the parser. */
  readonly requestPayload: Payload;
  /** The delivery's headers without the protocol's. They include the headers of the request that started the run. */
  readonly headers: Headers;
  /** The workflow's URL, as the engine calls it. */
  readonly url: string;
  readonly env: Env;
  readonly workflowRunId: string;
  /** Milliseconds since 1970; 0 when the engine doesn't send it. */
  readonly workflowRunCreatedAt: number;
  readonly labels: string[];
  /** The first label. */
  readonly label: string | undefined;
  /** Earlier attempts to make this delivery. */
  readonly retried: number;
  /** The client that the run itself uses. */
  readonly qstashClient: Client;
}

/** Carries out the steps that a workflow requests through its context. */
export interface StepHost {
  /** Requests a step. The promise settles once the step's result is recorded, and never otherwise. */
  request<Result>(step: Step<Result>): Promise<Result>;
  /** Ends the run. The promise never settles. */
  cancel(): Promise<never>;
}

/** A workflow's view of its run. Every step is recorded under its name; a recorded one isn't run again. */
export class WorkflowContext<Payload = unknown> implements RunContext<Payload> {
  declare readonly requestPayload: Payload;
  declare readonly url: string;
  declare readonly env: Env;
  declare readonly workflowRunId: string;
  declare readonly workflowRunCreatedAt: number;
  declare readonly labels: string[];
  declare readonly label: string | undefined;
  declare readonly retried: number;
  readonly #run: RunContext<Payload>;
  readonly #host: StepHost;

  /** Returns the host of a context, for a test that observes and replaces its steps. */
  static "~hostOf"(context: WorkflowContext): StepHost {
    return context.#host;
  }

  constructor(run: RunContext<Payload>, host: StepHost) {
    Object.assign(this, run);
    this.#run = run;
    this.#host = host;
  }

  // These are created on first access.
  get headers(): Headers {
    return this.#run.headers;
  }

  get qstashClient(): Client {
    return this.#run.qstashClient;
  }

  /**
   * Runs `work` once and records its result as JSON. If `work` throws, the engine retries the delivery, which runs it again.
   *
   * @param name identifies the step: unique in the workflow, or used in the same order each time
   * @param options retries, whether the workflow can catch the failure, and the rollback
   * @returns the recorded result: a `Date` has become a string, `undefined` stays
   * @throws WorkflowStepError with `onExhausted: "throw"`, when the step has no retries left
   * @example
   * ```ts
   * const receipt = await context.run("charge", () => charge(customer, 4200), {
   *   retries: 5,
   *   rollback: ({ result }) => refund(result?.id),
   * });
   * ```
   */
  run<Result>(
    name: string,
    work: StepWork<Result>,
    options?: StepOptions<Jsonify<Result>>,
  ): Promise<Jsonify<Result>> {
    return this.#requestStep(name, () => run(name, work, options));
  }

  /**
   * Pauses the run for seconds or a duration such as `"2h"`. No process or connection stays open meanwhile.
   *
   * @example
   * ```ts
   * await context.sleep("trial period", "14d");
   * ```
   */
  sleep(name: string, duration: number | Duration): Promise<void> {
    return this.#requestStep(name, () => sleep(name, duration));
  }

  /**
   * Pauses the run until a `Date`, a date string, or a Unix time in seconds.
   *
   * @example
   * ```ts
   * await context.sleepUntil("launch", "2027-01-01T09:00:00Z");
   * ```
   */
  sleepUntil(name: string, moment: Date | string | number): Promise<void> {
    return this.#requestStep(name, () => sleepUntil(name, moment));
  }

  /**
   * The engine makes an HTTP request, however long the answer takes, and records the answer, whatever its status.
   * The answer's `body` is the parsed value for JSON, a string for other text, and a `Uint8Array` for other bytes.
   * With a `workflow` of the same `serveMany`, the engine starts a run of it and doesn't wait for its end.
   *
   * @example
   * ```ts
   * const { status, body } = await context.call<{ url: string }>("render", {
   *   url: "https://render.example.com/pdf",
   *   method: "POST",
   *   body: JSON.stringify({ invoice }),
   * });
   * ```
   */
  call<Body = unknown>(
    name: string,
    request: CallRequest & RollbackOptions<CallResponse<Body>>,
  ): Promise<CallResponse<Body>>;
  call<P>(
    name: string,
    start: CallWorkflow<P> & RollbackOptions<CallResponse<{ workflowRunId: string }>>,
  ): Promise<CallResponse<{ workflowRunId: string }>>;
  call(name: string, request: CallRequest | CallWorkflow): Promise<CallResponse> {
    return this.#requestStep(name, () => call(name, request));
  }

  /**
   * Waits until a client, another run or a request to the engine's API notifies the event, or the timeout passes.
   * With an event of `defineEvent`, the data is validated: the promise rejects with a WorkflowError `invalid_event`
   * for data that doesn't fit.
   *
   * @example
   * ```ts
   * const { timeout, eventData } = await context.waitForEvent<{ ok: boolean }>("approval", `order-${id}`, {
   *   timeout: "3d",
   * });
   * ```
   */
  waitForEvent<Data>(
    name: string,
    event: WorkflowEvent<Data>,
    options?: WaitOptions,
  ): Promise<EventResponse<Data>>;
  waitForEvent<Event = unknown>(
    name: string,
    eventId: string,
    options?: WaitOptions,
  ): Promise<WaitResponse<Event>>;
  waitForEvent(name: string, event: string | WorkflowEvent, options?: WaitOptions): Promise<unknown> {
    const wait = this.#requestStep(name, () => waitForEvent(name, event, options));
    return Object(event)["~receive"]?.(wait) ?? wait;
  }

  /**
   * Notifies all runs that wait for the event; with a run's id, only that run, even if it starts to wait later.
   *
   * @example
   * ```ts
   * const { notifyResponse } = await context.notify("tell the order", `order-${id}`, { ok: true });
   * console.log(`${notifyResponse.length} runs were waiting`);
   * ```
   */
  notify(
    name: string,
    eventId: string,
    eventData?: unknown,
    workflowRunId?: string,
    options?: RollbackOptions<NotifyStepResponse>,
  ): Promise<NotifyStepResponse>;
  notify<Input>(
    name: string,
    event: WorkflowEvent<unknown, Input>,
    eventData: NoInfer<Input>,
    workflowRunId?: string,
    options?: RollbackOptions<NotifyStepResponse>,
  ): Promise<NotifyStepResponse>;
  notify(
    name: string,
    event: string | WorkflowEvent,
    eventData?: unknown,
    workflowRunId?: string,
    options?: RollbackOptions<NotifyStepResponse>,
  ): Promise<NotifyStepResponse> {
    return this.#requestStep(name, () => notify(name, event, eventData, workflowRunId, options));
  }

  /**
   * Starts a run of another workflow of the same `serveMany`, and waits for its end. A child's failure isn't thrown.
   *
   * @example
   * ```ts
   * const { body, isFailed } = await context.invoke("bill", { workflow: invoice, body: { amount: 4200 } });
   * if (isFailed) throw new Error("The invoice wasn't sent.");
   * ```
   */
  invoke<P, Result>(
    name: string,
    settings: InvokeSettings<P, Result> & RollbackOptions<InvokeResponse<Result>>,
  ): Promise<InvokeResponse<Result>> {
    return this.#requestStep(name, () => invoke(name, settings));
  }

  /**
   * Creates a URL that accepts requests for this run. It is a secret: a caller needs no other credential.
   *
   * @example
   * ```ts
   * const webhook = await context.createWebhook("payment webhook");
   * await context.run("order", () => startPayment({ callback: webhook.webhookUrl }));
   * const { request } = await context.waitForWebhook("paid", webhook, "1h");
   * ```
   */
  createWebhook(name: string): Promise<Webhook> {
    return this.#requestStep(name, () => createWebhook(name));
  }

  /**
   * Waits for the next request to a webhook, or until the timeout passes. A workflow may wait several times.
   * With an event of `defineEvent`, the request's body is validated and returned as `eventData`: the promise rejects
   * with a WorkflowError `invalid_event` for a body that doesn't fit.
   *
   * @example
   * ```ts
   * const { timeout, request } = await context.waitForWebhook("paid", webhook, "1h");
   * const payment = timeout ? undefined : await request.json();
   * ```
   */
  waitForWebhook<Data>(
    name: string,
    webhook: Webhook,
    timeout: number | Duration,
    event: WorkflowEvent<Data>,
  ): Promise<WebhookEventResponse<Data>>;
  waitForWebhook(name: string, webhook: Webhook, timeout: number | Duration): Promise<WebhookResponse>;
  waitForWebhook(
    name: string,
    webhook: Webhook,
    timeout: number | Duration,
    event?: WorkflowEvent,
  ): Promise<unknown> {
    const wait = this.#requestStep(name, () => waitForWebhook(name, webhook, timeout));
    return event ? event["~receive"](wait) : wait;
  }

  /**
   * Ends the run as cancelled: no code after it runs, and neither does the failure function.
   *
   * @example
   * ```ts
   * if (order.withdrawn) await context.cancel();
   * ```
   */
  cancel(): Promise<never> {
    return this.#host.cancel();
  }

  /** Typed calls of common services; each is a step like `call`. */
  get api(): WorkflowApi {
    const caller = <Settings>(make: (name: string, settings: Settings) => Step) => ({
      call: (name: string, settings: Settings) => this.#requestStep(name, () => make(name, settings)),
    });
    return { openai: caller(openai), anthropic: caller(anthropic), resend: caller(resend) } as WorkflowApi;
  }

  #requestStep<Result>(name: string, make: () => Step<Result>): Promise<Result> {
    try {
      return this.#host.request(inStep(name, make));
    } catch (misuse) {
      const result = Promise.reject(misuse);
      // A workflow that doesn't await the step must not end the process, as an unhandled rejection would.
      result.catch(() => warnOnce(messageOf(misuse)));
      return result;
    }
  }
}

/** Returns the run's properties for code that runs after its end: there, methods of a context throw a TypeError. */
export function toPostRunContext(run: RunContext): RunContext {
  return new Proxy(run, {
    get(known, name) {
      if (name in known || !(name in WorkflowContext.prototype)) return Reflect.get(known, name);
      throw new TypeError(`context.${String(name)} is not available after the run's end. Use a Client.`);
    },
  });
}
