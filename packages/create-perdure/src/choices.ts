/** The dependencies and scripts that a framework adds to a project. */
export interface Framework {
  readonly label: string;
  /** Runs the app beside the engine: the command behind `perdure dev --`. */
  readonly dev: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  /** Additional scripts of `package.json`. */
  readonly scripts: Readonly<Record<string, string>>;
  /** Options of TypeScript beside those of every project. */
  readonly compilerOptions: Readonly<Record<string, unknown>>;
}

const NODE = { types: ["node"] };
const WEB = ["es2023", "esnext.disposable", "dom", "dom.iterable"];

/** The frameworks, by the name of their folder in `templates/frameworks`. */
export const FRAMEWORKS = {
  hono: {
    label: "Hono on Node",
    dev: "node --watch src/server.ts",
    dependencies: { "@hono/node-server": "^2.1.8", hono: "^4.13.19" },
    devDependencies: {},
    scripts: { start: "node src/server.ts" },
    compilerOptions: NODE,
  },
  express: {
    label: "Express",
    dev: "node --watch src/server.ts",
    dependencies: { express: "^5.3.0" },
    devDependencies: { "@types/express": "^5.0.6" },
    scripts: { start: "node src/server.ts" },
    compilerOptions: NODE,
  },
  nextjs: {
    label: "Next.js",
    dev: "next dev",
    dependencies: { next: "^16.4.6", react: "^19.3.1", "react-dom": "^19.3.1" },
    devDependencies: { "@types/react": "^19.3.0" },
    scripts: { build: "next build", start: "next start" },
    compilerOptions: {
      ...NODE,
      lib: WEB,
      jsx: "react-jsx",
      plugins: [{ name: "next" }],
    },
  },
  cloudflare: {
    label: "Cloudflare Workers",
    dev: "wrangler dev",
    dependencies: {},
    devDependencies: { wrangler: "^4.164.0" },
    scripts: { deploy: "wrangler deploy" },
    compilerOptions: { lib: WEB },
  },
  bun: {
    label: "Bun",
    dev: "bun --watch src/server.ts",
    dependencies: {},
    devDependencies: { "@types/bun": "^1.4.0" },
    scripts: { start: "bun src/server.ts" },
    compilerOptions: { types: ["bun"] },
  },
  deno: {
    label: "Deno",
    dev: "deno run --allow-net --allow-env --allow-read --watch src/server.ts",
    dependencies: {},
    devDependencies: { "@types/deno": "^2.5.0" },
    scripts: { start: "deno run --allow-net --allow-env --allow-read src/server.ts" },
    compilerOptions: { types: ["deno"], lib: WEB },
  },
} as const satisfies Readonly<Record<string, Framework>>;

export type FrameworkName = keyof typeof FRAMEWORKS;

/** The use cases, by the name of their files in `templates/use-cases`. */
export const USE_CASES = {
  order: {
    label: "An order: charge a card, wait, ship; refund when that fails",
    fails: 'Set `card` to `"declined"`',
    hint: "Its console has a line for each step.",
  },
  approval: {
    label: "An approval: ask a person, wait for days, go on",
    fails: "Set `amount` to `0`",
    hint: "A run that waits for the manager prints the command that answers.",
  },
  onboarding: {
    label: "Onboarding: mails over a week, until the user is active",
    fails: 'Set `email` to `"nobody"`',
    hint: "A run sleeps for days; `npx perdure wake RUN` ends its sleep.",
  },
} as const satisfies Readonly<Record<string, UseCaseText>>;

/** The texts of a use case. */
interface UseCaseText {
  readonly label: string;
  /** The change of the payload that lets a step fail. */
  readonly fails: string;
  readonly hint: string;
}

export type UseCase = keyof typeof USE_CASES;

/** The package managers that can install a project. */
export const PACKAGE_MANAGERS = ["npm", "pnpm", "yarn", "bun"] as const;

export type PackageManager = (typeof PACKAGE_MANAGERS)[number];

/** A complete choice. */
export interface Choice {
  /** The folder that the project is written to. */
  readonly folder: string;
  readonly framework: FrameworkName;
  readonly useCase: UseCase;
  readonly packageManager: PackageManager;
  /** Whether to install the dependencies. */
  readonly install: boolean;
  /** A folder with the tarballs of Perdure's packages, to install instead of the published ones. */
  readonly tarballs: string | undefined;
}

/** The command before a script's name. `bun test` would be Bun's own runner. */
export function runScript(packageManager: PackageManager): string {
  return packageManager === "npm" || packageManager === "bun" ? `${packageManager} run` : packageManager;
}
