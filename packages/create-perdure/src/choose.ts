import { parseArgs } from "node:util";
import { cancel, isCancel, select, text } from "@clack/prompts";
import { type Choice, FRAMEWORKS, PACKAGE_MANAGERS, type PackageManager, USE_CASES } from "./choices.ts";
import { UsageError } from "./usage-error.ts";

/** The surroundings of the command. */
export interface Surroundings {
  /** Whether the command may ask. */
  readonly isTerminal: boolean;
  /** `npm_config_user_agent`: the package manager that has started the command. */
  readonly userAgent: string | undefined;
}

export const HELP = `Usage: npm create perdure@latest [folder] -- [options]

Options:
  --framework <name>   ${Object.keys(FRAMEWORKS).join(", ")}
  --use-case <name>    ${Object.keys(USE_CASES).join(", ")}
  --pm <name>          ${PACKAGE_MANAGERS.join(", ")} (default: the one that runs this)
  --no-install         write the files only
  --tarballs <folder>  install Perdure's packages from the tarballs of npm run pack
  --help               print this

Without a terminal, options that are left out have their defaults: hono, order, npm.
`;

/** Something to choose from: its name, and what the question shows. */
type Labels = Readonly<Record<string, string>>;

/**
 * Reads the choice from the arguments, and asks for what they leave out.
 *
 * @returns undefined when the user cancels
 * @throws UsageError for unknown arguments and names
 */
export async function choose(
  args: readonly string[],
  { isTerminal, userAgent }: Surroundings,
): Promise<Choice | undefined> {
  const { values, positionals } = parse(args);
  const folder = positionals[0] ?? (await ask(isTerminal, "perdure-app", () => askFolder()));
  if (folder === undefined) return undefined;
  const framework = await pick("--framework", values.framework, {
    labels: labelsOf(FRAMEWORKS),
    question: "Which framework?",
    isTerminal,
  });
  if (framework === undefined) return undefined;
  const useCase = await pick("--use-case", values["use-case"], {
    labels: labelsOf(USE_CASES),
    question: "Which workflow to begin with?",
    isTerminal,
  });
  if (useCase === undefined) return undefined;
  return {
    folder,
    framework: framework as Choice["framework"],
    useCase: useCase as Choice["useCase"],
    packageManager: toPackageManager(values.pm, userAgent),
    install: !values["no-install"],
    tarballs: values.tarballs,
  };
}

function labelsOf(choices: Readonly<Record<string, { readonly label: string }>>): Labels {
  return Object.fromEntries(Object.entries(choices).map(([name, { label }]) => [name, label]));
}

function parse(args: readonly string[]) {
  try {
    const parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        framework: { type: "string" },
        "use-case": { type: "string" },
        pm: { type: "string" },
        "no-install": { type: "boolean" },
        tarballs: { type: "string" },
      },
    });
    if (parsed.positionals.length > 1)
      throw new UsageError(`There is one folder; got ${parsed.positionals.join(" ")}.`);
    return parsed;
  } catch (error) {
    // Node continues with advice on folders whose names begin with a hyphen.
    if (error instanceof TypeError) throw new UsageError(`${error.message.split(". To ")[0]}.\n\n${HELP}`);
    throw error;
  }
}

interface Question {
  readonly labels: Labels;
  readonly question: string;
  readonly isTerminal: boolean;
}

async function pick(
  flag: string,
  given: string | undefined,
  { labels, question, isTerminal }: Question,
): Promise<string | undefined> {
  if (given !== undefined) {
    if (Object.hasOwn(labels, given)) return given;
    throw new UsageError(`${flag} must be one of ${Object.keys(labels).join(", ")}; got "${given}".`);
  }
  const options = Object.entries(labels).map(([value, label]) => ({ value, label }));
  return ask(isTerminal, Object.keys(labels)[0] as string, () => select({ message: question, options }));
}

function askFolder(): Promise<string | symbol> {
  return text({ message: "Where?", placeholder: "perdure-app", defaultValue: "perdure-app" });
}

/** @returns undefined when the user cancels */
async function ask(
  isTerminal: boolean,
  fallback: string,
  question: () => Promise<string | symbol>,
): Promise<string | undefined> {
  if (!isTerminal) return fallback;
  const answer = await question();
  if (!isCancel(answer)) return String(answer);
  cancel("Nothing was written.");
  return undefined;
}

function toPackageManager(given: string | undefined, userAgent = ""): PackageManager {
  const name = given ?? userAgent.split("/")[0];
  const known = PACKAGE_MANAGERS.find((one) => one === name);
  if (known || given === undefined) return known ?? "npm";
  throw new UsageError(`--pm must be one of ${PACKAGE_MANAGERS.join(", ")}; got "${given}".`);
}
