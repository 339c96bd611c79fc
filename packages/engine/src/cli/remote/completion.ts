import type { Command } from "commander";
import { CommandError, EXIT } from "./command-error.ts";

/** A command with the words that may follow it. */
interface Node {
  /** The words before: an empty string for `perdure` itself. */
  readonly path: string;
  readonly words: readonly Word[];
}

interface Word {
  readonly word: string;
  readonly help: string;
}

const SHELLS = { bash, zsh, fish } as const;

/**
 * Returns the script that completes the program's commands and flags in a shell.
 *
 * @throws CommandError for another shell than bash, zsh and fish
 */
export function completionScript(program: Command, shell: string): string {
  if (!Object.hasOwn(SHELLS, shell))
    throw new CommandError(
      EXIT.usage,
      `The shell must be one of ${Object.keys(SHELLS).join(", ")}; got "${shell}".`,
    );
  return SHELLS[shell as keyof typeof SHELLS](nodesOf(program, ""));
}

function nodesOf(command: Command, path: string): Node[] {
  const words = [
    ...command.commands.map((one) => ({ word: one.name(), help: one.description() })),
    ...command.options.map(({ long, short, description }) => ({
      word: long ?? short ?? "",
      help: description,
    })),
  ];
  const below = command.commands.flatMap((one) => nodesOf(one, `${path} ${one.name()}`.trim()));
  return [{ path, words }, ...below];
}

/** The shell code that finds the longest known path in the words before the cursor. */
function bash(nodes: readonly Node[]): string {
  const cases = nodes.map(
    ({ path, words }) => `    "${path}") echo "${words.map(({ word }) => word).join(" ")}" ;;`,
  );
  return `# perdure completion for bash: eval "$(perdure completion bash)"
_perdure_words() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_perdure() {
  local path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if _perdure_words "\${path:+$path }$word" >/dev/null; then path="\${path:+$path }$word"; fi
  done
  COMPREPLY=($(compgen -W "$(_perdure_words "$path")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _perdure perdure`;
}

function zsh(nodes: readonly Node[]): string {
  const cases = nodes.map(
    ({ path, words }) =>
      `    "${path}") reply=(${words.map(({ word, help }) => quote(`${word}:${help.replaceAll(":", "\\:")}`)).join(" ")}) ;;`,
  );
  return `#compdef perdure
# perdure completion for zsh: eval "$(perdure completion zsh)"
_perdure_words() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_perdure() {
  local path="" word
  local -a reply
  for word in "\${words[@]:1:CURRENT-2}"; do
    if _perdure_words "\${path:+$path }$word"; then path="\${path:+$path }$word"; fi
  done
  _perdure_words "$path"
  _describe perdure reply || _files
}
compdef _perdure perdure`;
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words }) => {
    const before =
      path === ""
        ? "__fish_use_subcommand"
        : path
            .split(" ")
            .map((one) => `__fish_seen_subcommand_from ${one}`)
            .join("; and ");
    return words.map(({ word, help }) => {
      const what = word.startsWith("--")
        ? `-l ${word.slice(2)}`
        : word.startsWith("-")
          ? `-s ${word.slice(1)}`
          : `-a ${word}`;
      return `complete -c perdure -n ${quote(before)} ${what} -d ${quote(help)}`;
    });
  });
  return ["# perdure completion for fish: perdure completion fish | source", ...lines].join("\n");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
