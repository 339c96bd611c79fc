/** How the engine has the steps of a workflow carried out: as many as one delivery can run, or one. */
export const MODES = ["inline", "one step a delivery"] as const;
export type Mode = (typeof MODES)[number];

/** The mode of the vitest project that runs: `vitest.config.ts` runs some suites in both. */
export const MODE: Mode = MODES.find((mode) => mode === process.env.TEST_MODE) ?? "inline";

/** Options of `serve` for an endpoint of this mode. */
export const MODE_OPTIONS: { readonly inline?: false } = MODE === "inline" ? {} : { inline: false };

/** Whether the engines of the vitest project that runs keep their tables in PostgreSQL, instead of SQLite. */
export const ON_POSTGRES: boolean = process.env.TEST_STORE === "postgres";
