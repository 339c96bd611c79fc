import type { Command } from "commander";
import { LEVELS } from "../values.ts";
import { CommandError, EXIT } from "./command-error.ts";
import { STATE_WORDS } from "./states.ts";

/** A command with the words that may follow it. */
interface Node {
  /** The words before: an empty string for `perdure` itself. */
  readonly path: string;
  readonly words: readonly Word[];
}

interface Word {
  readonly word: string;
  readonly help: string;
  /** Whether a flag needs a value. */
  readonly takesValue?: boolean;
}

/** The flags whose values are known. A flag means the same in every command. */
const VALUES: Readonly<Record<string, Values>> = {
  "--state": { known: STATE_WORDS, list: true },
  "--log-level": { known: LEVELS },
};

interface Values {
  readonly known: readonly string[];
  /** The flag takes several values, with commas between them. */
  readonly list?: true;
}

const SHELLS = { bash, zsh, fish } as const;

/**
 * Returns the script that completes the program's commands, flags and their known values in a shell.
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
  const shells = path === "completion" ? Object.keys(SHELLS) : [];
  const words = [
    ...shells.map((word) => ({ word, help: `print the script for ${word}` })),
    ...command.commands.map((one) => ({ word: one.name(), help: one.description() })),
    ...command.options.map(({ long, short, description, required }) => ({
      word: long ?? short ?? "",
      help: description,
      takesValue: required,
    })),
  ];
  const below = command.commands.flatMap((one) => nodesOf(one, `${path} ${one.name()}`.trim()));
  return [{ path, words }, ...below];
}

/** The flags that take any value, as a pattern of a shell's `case`. */
function anyValue(nodes: readonly Node[]): string {
  const flags = nodes.flatMap(({ words }) =>
    words.flatMap(({ word, takesValue }) => (takesValue ? word : [])),
  );
  return [...new Set(flags)].filter((flag) => !Object.hasOwn(VALUES, flag)).join("|");
}

/** The shell code finds the longest known path in the words before the cursor. Files complete all other values. */
function bash(nodes: readonly Node[]): string {
  const cases = nodes.map(
    ({ path, words }) => `    "${path}") echo "${words.map(({ word }) => word).join(" ")}" ;;`,
  );
  const values = Object.entries(VALUES).map(
    ([flag, { known }]) => `    ${flag}) echo "${known.join(" ")}" ;;`,
  );
  return `# perdure completion for bash: eval "$(perdure completion bash)"
_perdure_words() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_perdure_values() {
  case "$1" in
${values.join("\n")}
    ${anyValue(nodes)}) ;;
    *) return 1 ;;
  esac
}
_perdure() {
  local path="" word values
  local cur="\${COMP_WORDS[COMP_CWORD]}" flag="\${COMP_WORDS[COMP_CWORD-1]}"
  # Bash splits --flag=value into three words.
  if [[ $cur == "=" ]]; then cur=""; elif [[ $flag == "=" ]]; then flag="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  if values="$(_perdure_values "$flag")"; then
    word="\${cur##*,}"
    COMPREPLY=($(compgen -P "\${cur%"$word"}" -W "$values" -- "$word"))
    return
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if _perdure_words "\${path:+$path }$word" >/dev/null; then path="\${path:+$path }$word"; fi
  done
  COMPREPLY=($(compgen -W "$(_perdure_words "$path")" -- "$cur"))
}
complete -o default -F _perdure perdure`;
}

/** In zsh, `path` is the list of `PATH`: the script has no such variable. */
function zsh(nodes: readonly Node[]): string {
  const cases = nodes.map(
    ({ path, words }) =>
      `    "${path}") reply=(${words.map(({ word, help }) => quote(`${word}:${help.replaceAll(":", "\\:")}`)).join(" ")}) ;;`,
  );
  const values = Object.entries(VALUES).map(
    ([flag, { known }]) => `    ${flag}) reply=(${known.join(" ")}) ;;`,
  );
  return `#compdef perdure
# perdure completion for zsh: eval "$(perdure completion zsh)"
_perdure_words() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_perdure_values() {
  case "$1" in
${values.join("\n")}
    ${anyValue(nodes)}) reply=() ;;
    *) return 1 ;;
  esac
}
_perdure() {
  local at="" word flag="\${words[CURRENT-1]}"
  local -a reply
  if [[ $PREFIX == --*=* ]]; then flag="\${PREFIX%%=*}"; compset -P '*='; fi
  if _perdure_values "$flag"; then
    if (( $#reply )); then compset -P '*,'; compadd -a reply; else _files; fi
    return
  fi
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if _perdure_words "\${at:+$at }$word"; then at="\${at:+$at }$word"; fi
  done
  _perdure_words "$at"
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
    return words.map(
      (word) => `complete -c perdure -n ${quote(before)} ${fishWord(word)} -d ${quote(word.help)}`,
    );
  });
  return ["# perdure completion for fish: perdure completion fish | source", ...lines].join("\n");
}

function fishWord({ word, takesValue }: Word): string {
  if (!word.startsWith("--")) return word.startsWith("-") ? `-s ${word.slice(1)}` : `-a ${word}`;
  const flag = `-l ${word.slice(2)}`;
  const values = VALUES[word];
  if (!values) return takesValue ? `${flag} -r` : flag;
  const known = values.known.join(" ");
  return `${flag} -x -a ${quote(values.list ? `(__fish_append , ${known})` : known)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
