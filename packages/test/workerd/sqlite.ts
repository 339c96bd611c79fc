import initSqlJs, { type Database, type Statement } from "sql.js/dist/sql-wasm-browser.js";
import wasm from "sql.js/dist/sql-wasm-browser.wasm";

// Takes the place of node:sqlite in the bundle for workerd, whose own SQLite is for Durable Objects only. It has the parts
// of it that the engine uses for a database in memory.

type Values = Parameters<Statement["bind"]>[0];

// workerd compiles no WebAssembly at run time: the module is an import, and is compiled already.
const { Database: MemoryDatabase } = await initSqlJs({
  instantiateWasm(imports, done) {
    const instance = new WebAssembly.Instance(wasm, imports);
    done(instance);
    return instance.exports;
  },
});

class StatementSync {
  readonly #statement: Statement;
  /** Called after each execution. @returns the number of changed rows */
  readonly #executed: () => number;

  constructor(statement: Statement, executed: () => number) {
    this.#statement = statement;
    this.#executed = executed;
  }

  get(...values: Values): object | undefined {
    return this.#rows(values)[0];
  }

  all(...values: Values): object[] {
    return this.#rows(values);
  }

  iterate(...values: Values): Iterator<object> {
    return this.#rows(values).values();
  }

  run(...values: Values): { readonly changes: number } {
    this.#rows(values);
    return { changes: this.#executed() };
  }

  #rows(values: Values): object[] {
    const rows: object[] = [];
    try {
      this.#statement.bind(values);
      while (this.#statement.step()) rows.push(this.#statement.getAsObject());
    } finally {
      this.#statement.reset();
    }
    return rows;
  }
}

/** A database in memory. */
export class DatabaseSync {
  readonly #db: Database = new MemoryDatabase();
  isTransaction = false;

  exec(statements: string): void {
    this.#db.exec(statements);
    this.#noteTransaction(statements);
  }

  prepare(text: string): StatementSync {
    return new StatementSync(this.#db.prepare(text), () => {
      this.#noteTransaction(text);
      return this.#db.getRowsModified();
    });
  }

  close(): void {
    this.#db.close();
  }

  #noteTransaction(statement: string): void {
    if (/^BEGIN/.test(statement)) this.isTransaction = true;
    if (/^(COMMIT|ROLLBACK)(?! TO)/.test(statement)) this.isTransaction = false;
  }
}

/** Exists because the engine imports it. A database in memory has no backups. */
export async function backup(): Promise<never> {
  throw new Error("A database in memory can't be copied to a file.");
}
