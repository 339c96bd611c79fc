// The parts of sql.js that `sqlite.ts` uses. The package has no types of its own.
declare module "sql.js/dist/sql-wasm-browser.js" {
  type Value = number | bigint | string | Uint8Array | null;

  export interface Statement {
    bind(values: readonly Value[]): void;
    step(): boolean;
    getAsObject(): Record<string, Value>;
    reset(): void;
  }

  export interface Database {
    exec(statements: string): void;
    prepare(statement: string): Statement;
    getRowsModified(): number;
    close(): void;
  }

  interface Options {
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void): object;
  }

  export default function initSqlJs(options: Options): Promise<{ readonly Database: new () => Database }>;
}

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
