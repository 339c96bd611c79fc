/** What is tested together: one row and one column of the table in the README. */
export interface Pair {
  /** The subpath of `@perdure/adapters`. */
  readonly adapter: string;
  /** With its version, as `Express 5`. */
  readonly framework: string;
  /** With its version, as `Node 24`. */
  readonly runtime: string;
}

/** A real server that has mounted the routes. */
export interface Server {
  /** Where the routes are mounted, without a slash at the end: `http://127.0.0.1:3000/api`. */
  readonly url: string;
  /** What it has printed so far, for whoever looks into a failure. */
  readonly output?: () => string;
  stop(): Promise<void>;
}

/** Starts the server with these variables in its environment (or its bindings), on a port of its own. */
export type Start = (env: Readonly<Record<string, string>>) => Promise<Server>;

/** In what a pair differs from others by its nature. */
export interface Traits {
  /** The framework routes by method and answers all but POST itself. Default: the workflow answers them, with 405. */
  readonly routesByMethod?: boolean;
  /** The platform ends TLS by its nature: what the app sees is `https:`, and `UPSTASH_WORKFLOW_URL` says that here it isn't. */
  readonly seenAsHttps?: boolean;
  /** The framework writes a URL's query anew: a space is `+` in it, whatever the sender wrote. */
  readonly writesQueryAnew?: boolean;
}

/** The name under which a pair is reported. */
export function titleOf({ adapter, framework, runtime }: Pair): string {
  return `${framework} on ${runtime} by ${adapter}`;
}

/** The pair of a {@link titleOf}; undefined for another text. */
export function pairOf(title: string): Pair | undefined {
  const { framework, runtime, adapter } =
    /^(?<framework>.+?) on (?<runtime>.+) by (?<adapter>[\w-]+)$/.exec(title)?.groups ?? {};
  return framework && runtime && adapter ? { framework, runtime, adapter } : undefined;
}
