import type { Env, Handler, Invokable, SharedOptions } from "@perdure/core";
import { toErrorBody } from "@perdure/core/protocol";

/** A part of an application that answers requests with a `Request` and a `Response`. */
type Fetch = (request: Request, env?: Env) => Response | Promise<Response>;

/**
 * A workflow to test: the result of `serve`, `createWorkflow` or `serveMany`, a route such as `{ POST }` or
 * `{ fetch }`, or a function from `Request` to `Response`, such as an application's `app.fetch`.
 */
export type TestedWorkflow =
  | { readonly handler: Fetch }
  | { readonly POST: Fetch }
  | { readonly fetch: Fetch }
  | { readonly toHandler: (shared: SharedOptions, siblings: ReadonlyMap<object, string>) => Handler }
  | Fetch;

/** The address of the endpoints. No request to it leaves the process. */
export const APP_URL = "https://app.perdure.test";

/** The endpoints of a test, by the paths of their URLs. */
export class Endpoints {
  readonly #paths = new Map<unknown, string>();
  readonly #handlers = new Map<string, Fetch>();

  /** @throws TypeError for a path without a slash, and for a value that isn't an endpoint */
  constructor(workflows: Readonly<Record<string, TestedWorkflow>>) {
    if (typeof workflows !== "object" || workflows === null)
      throw new TypeError(
        `testEngine needs its workflows by their paths: { workflows: { "/order": order } }.`,
      );
    const siblings = new Map<object, string>();
    for (const [path, workflow] of Object.entries(workflows)) {
      if (!path.startsWith("/")) throw new TypeError(`A workflow's path begins with a slash; got "${path}".`);
      if (!this.#paths.has(workflow)) this.#paths.set(workflow, path);
      if ("toHandler" in Object(workflow)) siblings.set(workflow, path.split("/").at(-1) ?? "");
    }
    for (const [path, workflow] of Object.entries(workflows))
      this.#handlers.set(path, toFetch(path, workflow, siblings));
  }

  /** The URL of a workflow. @throws TypeError when the test doesn't serve it */
  urlOf(workflow: Invokable | string): string {
    const path = typeof workflow === "string" ? workflow : this.#paths.get(workflow);
    if (path?.startsWith("/")) return APP_URL + path;
    const what = typeof workflow === "string" ? `"${workflow}"` : "the workflow";
    throw new TypeError(
      `testEngine doesn't serve ${what}. Add it to its workflows (now: ${this.served}). Trigger a workflow of serveMany by its path.`,
    );
  }

  /** The paths, for errors. */
  get served(): string {
    return [...this.#handlers.keys()].join(", ") || "none";
  }

  /** The endpoint at a URL: with this path, or a pattern such as `/workflows/*`. */
  at(url: string): Fetch | undefined {
    const { pathname } = new URL(url);
    const exact = this.#handlers.get(decodeURI(pathname));
    if (exact) return exact;
    for (const [path, handler] of this.#handlers)
      if (path.endsWith("/*") && pathname.startsWith(path.slice(0, -1))) return handler;
    return undefined;
  }
}

function toFetch(path: string, workflow: TestedWorkflow, siblings: ReadonlyMap<object, string>): Fetch {
  if (typeof workflow === "function") return checkedFetch(path, workflow);
  if ("handler" in workflow) return workflow.handler;
  if ("toHandler" in workflow) return workflow.toHandler({}, siblings);
  if ("POST" in workflow) return workflow.POST;
  if ("fetch" in workflow) return workflow.fetch;
  throw new TypeError(`The workflow at ${path} must be a result of serve or createWorkflow, or a handler.`);
}

/** A function that answers requests. Its errors say so, because it may be a workflow by mistake. */
function checkedFetch(path: string, fetch: Fetch): Fetch {
  const hint =
    "A function in workflows must answer a Request with a Response. Is it a workflow? Wrap it in serve.";
  return async (request, env) => {
    let answer: unknown;
    try {
      answer = await fetch(request, env);
    } catch (error) {
      const { message } = toErrorBody(error, false);
      throw new TypeError(`The function at ${path} has thrown: ${message}. ${hint}`, { cause: error });
    }
    if (typeof Object(answer).status === "number") return answer as Response;
    throw new TypeError(`The function at ${path} has returned no Response. ${hint}`);
  };
}
