import type { Client as QStashClient } from "@upstash/qstash";
import { type Engine, type EngineConfig, toEngine } from "../border/engine.ts";
import { clientOf, processEnv } from "../border/settings.ts";
import { type TriggerOptions, type TriggerResult, trigger } from "./trigger.ts";

export type { TriggerOptions, TriggerResult } from "./trigger.ts";

/** Starts runs. */
export class Client {
  readonly #engine: Engine;

  /**
   * @param config a client of `@upstash/qstash`, or settings for one; what they leave out comes from `QSTASH_URL` and `QSTASH_TOKEN`
   * @throws WorkflowError `missing_token` when there is no token anywhere
   */
  constructor(config: QStashClient | Partial<EngineConfig> = {}) {
    this.#engine = toEngine(clientOf(config, processEnv()));
  }

  /**
   * Starts one run, or several with one request.
   *
   * @throws TypeError for options that can't be obeyed, before anything is sent
   * @throws WorkflowError `engine_unreachable`, `quota_exceeded`, or `engine_refused` with a `cause` that lists what became of each run
   */
  trigger(options: TriggerOptions): Promise<TriggerResult>;
  trigger(options: readonly TriggerOptions[]): Promise<TriggerResult[]>;
  async trigger(
    options: TriggerOptions | readonly TriggerOptions[],
  ): Promise<TriggerResult | TriggerResult[]> {
    if (isList(options)) return options.length > 0 ? trigger(this.#engine, options) : [];
    const [result] = await trigger(this.#engine, [options]);
    return result as TriggerResult;
  }
}

function isList(options: TriggerOptions | readonly TriggerOptions[]): options is readonly TriggerOptions[] {
  return Array.isArray(options);
}
