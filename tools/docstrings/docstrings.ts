import ts from "@typescript/typescript6";

/** A public name, and how it is documented. */
export interface PublicName {
  /** `Client`, or `Client.trigger` for a member. */
  readonly name: string;
  /** Where it is declared: `packages/core/src/client/index.ts:29`. */
  readonly place: string;
  readonly documented: boolean;
  /** A function, or a method that users call. */
  readonly callable: boolean;
  readonly hasExample: boolean;
}

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  strict: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  types: [],
};

/** Types that users fill in: each of their members needs a docstring. */
const FILLED_IN = /(?:Options|Settings|Filters|Config|FlowControl|CallRequest|CallWorkflow|WaitForRun)$/;

/**
 * Lists every name that the files export, the methods of exported classes and of the classes of their properties, and the
 * members of exported interfaces that users fill in.
 *
 * @param root the folder, with a slash at its end; declarations outside of it don't count
 */
export function publicNames(root: string, entryPoints: readonly string[]): PublicName[] {
  const program = ts.createProgram(entryPoints, OPTIONS);
  const checker = program.getTypeChecker();
  const search = new Search(root, checker);
  for (const entryPoint of entryPoints) {
    const file = program.getSourceFile(entryPoint);
    const module = file && checker.getSymbolAtLocation(file);
    if (!module) throw new TypeError(`${entryPoint} isn't a module.`);
    for (const symbol of checker.getExportsOfModule(module)) {
      const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
      search.look(isAlias ? checker.getAliasedSymbol(symbol) : symbol, symbol.name);
    }
  }
  return [...search.found.values()];
}

/** First words that make a comment a sentence without a subject. A line that continues a comment may begin with any word. */
const HEADLESS =
  /(?:\/\*\*[\s*]*|(?<!^[ \t]*\/\/.*\n)^[ \t]*\/\/ )(?:What|Whoever|Whatever|Those|Of|Nobody|Somebody|Has)\b/gm;

/**
 * Finds docstrings and line comments that begin with "What", "Those", "Of" and the like.
 *
 * @returns the line of each, and its first line of text: `12: What the engine sends`
 */
export function headlessComments(source: string): string[] {
  return [...source.matchAll(HEADLESS)].map(({ 0: start, index }) => {
    const at = index + start.search(/\w/);
    const line = source.slice(0, at).split("\n").length;
    return `${line}: ${source
      .slice(at)
      .replace(/(?:\*\/|\n)[\s\S]*/, "")
      .trim()}`;
  });
}

class Search {
  readonly found = new Map<string, PublicName>();
  readonly #seen = new Set<ts.Symbol>();
  readonly #root: string;
  readonly #checker: ts.TypeChecker;

  constructor(root: string, checker: ts.TypeChecker) {
    this.#root = root;
    this.#checker = checker;
  }

  look(symbol: ts.Symbol, name: string): void {
    if (this.#seen.has(symbol)) return;
    this.#seen.add(symbol);
    this.#add(symbol, name);
    const isClass = (symbol.flags & ts.SymbolFlags.Class) !== 0;
    for (const member of this.#membersOf(symbol)) {
      const counts = isClass ? (member.flags & ts.SymbolFlags.Method) !== 0 : FILLED_IN.test(symbol.name);
      if (counts) this.#add(member, `${name}.${member.name}`);
      const type = this.#checker.getTypeOfSymbol(member).symbol;
      if (isClass && type && type.flags & ts.SymbolFlags.Class && this.#isOurs(type))
        this.look(type, type.name);
    }
  }

  #membersOf(symbol: ts.Symbol): Iterable<ts.Symbol> {
    const members = new Map<string, ts.Symbol>();
    for (const part of partsOf(this.#checker.getDeclaredTypeOfSymbol(symbol))) {
      for (const member of part.getProperties()) {
        const known = members.get(member.name);
        // In a union each part has its own, and one of them may only say that it isn't there.
        if (known && this.#isDocumented(known)) continue;
        if (this.#isOurs(member) && !member.name.startsWith("#")) members.set(member.name, member);
      }
    }
    return members.values();
  }

  #isOurs(symbol: ts.Symbol): boolean {
    const [declaration] = symbol.declarations ?? [];
    const file = declaration?.getSourceFile().fileName;
    return file?.startsWith(this.#root) === true && !file.includes("/node_modules/");
  }

  #add(symbol: ts.Symbol, name: string): void {
    const [declaration] = symbol.declarations ?? [];
    if (!declaration) return;
    const file = declaration.getSourceFile();
    const { line } = file.getLineAndCharacterOfPosition(declaration.getStart());
    const place = `${file.fileName.slice(this.#root.length)}:${line + 1}`;
    this.found.set(`${place} ${name}`, {
      name,
      place,
      documented: this.#isDocumented(symbol),
      callable: this.#isCallable(symbol),
      hasExample: symbol.getJsDocTags(this.#checker).some((tag) => tag.name === "example"),
    });
  }

  #isCallable(symbol: ts.Symbol): boolean {
    if ((symbol.flags & ts.SymbolFlags.Value) === 0) return false;
    return this.#checker.getTypeOfSymbol(symbol).getCallSignatures().length > 0;
  }

  #isDocumented(symbol: ts.Symbol): boolean {
    if (symbol.getDocumentationComment(this.#checker).length > 0) return true;
    // A docstring may consist of what is returned or thrown alone.
    return symbol.getJsDocTags(this.#checker).some(({ text = [] }) => text.length > 0);
  }
}

function partsOf(type: ts.Type): ts.Type[] {
  return type.isUnionOrIntersection() ? type.types.flatMap(partsOf) : [type];
}
