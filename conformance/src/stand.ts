import { createEngine, type Engine } from "@perdure/engine";
import { KEYS } from "@perdure/test-support/delivery";
import { type Recorded, Recorder } from "@perdure/test-support/recorder";

const TOKEN = "token-of-the-suite";
const WITNESS = "/witness";

/** What the app reads as `context.env.CONFORMANCE_WORD`. */
export const WORD = "größe & 100 % {}";

/** Stands in the engine's place: it records what the app sends and, where a test wants it, hands it to a real engine. */
export class Stand {
  readonly #recorder: Recorder;
  #engine: Engine | undefined;

  private constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  static async start(): Promise<Stand> {
    return new Stand(await Recorder.start());
  }

  get url(): string {
    return this.#recorder.url;
  }

  get token(): string {
    return TOKEN;
  }

  /** For the server under test. */
  get env(): Record<string, string> {
    return {
      QSTASH_URL: this.url,
      QSTASH_TOKEN: TOKEN,
      QSTASH_CURRENT_SIGNING_KEY: KEYS.current,
      QSTASH_NEXT_SIGNING_KEY: KEYS.next,
      CONFORMANCE_WORD: WORD,
      CONFORMANCE_WITNESS: `${this.url}${WITNESS}`,
    };
  }

  /** What user code has told while it ran. */
  get told(): string[] {
    return this.#recorder.requests.filter(({ path }) => path === WITNESS).map(({ body }) => body);
  }

  /** What the engine was asked for. */
  get sent(): Recorded[] {
    return this.#recorder.requests.filter(({ path }) => path !== WITNESS);
  }

  /** The messages among it. */
  get published(): Recorder["published"] {
    return this.#recorder.published;
  }

  /** The step records among those. */
  get records(): Recorder["records"] {
    return this.#recorder.records;
  }

  /** Answers a request in the engine's name; undefined leaves it at what engines answer mostly. */
  set answer(answer: Recorder["answer"]) {
    this.#recorder.answer = answer;
  }

  /** From now on a real engine answers, and delivers. */
  useEngine(): void {
    const engine = createEngine({ store: ":memory:", token: TOKEN, signingKeys: KEYS });
    this.#engine = engine;
    this.answer = async ({ method, path, headers, body }) => {
      if (path === WITNESS) return undefined;
      const init = { method, headers, ...(body === "" ? {} : { body }) };
      const response = await engine.fetch(new Request(`${this.url}${path}`, init));
      const text = await response.text();
      return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
    };
    engine.start();
  }

  async reset(): Promise<void> {
    await this.#engine?.stop();
    this.#engine = undefined;
    this.#recorder.reset();
  }

  async stop(): Promise<void> {
    await this.reset();
    await this.#recorder.stop();
  }
}
