import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqlite, type SqliteStore } from "../../src/open-sqlite.ts";
import { GroupCommit } from "../../src/store/group-commit.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { sql } from "../../src/store/tx.ts";
import { StoreUnavailable } from "../../src/store/unavailable.ts";

let folder: string;
let file: string;
const opened: SqliteStore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure-"));
  file = join(folder, "a.db");
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  rmSync(folder, { recursive: true });
});

const warnings: string[] = [];
function open(path = file): SqliteStore {
  warnings.length = 0;
  const store = openSqlite(path, { warn: (warning) => warnings.push(warning) });
  opened.push(store);
  return store;
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

/** Why a file can't be opened: one line. */
function refusal(path = file): string {
  try {
    open(path);
  } catch (error) {
    expect(error).toBeInstanceOf(StoreUnavailable);
    const { message } = error as StoreUnavailable;
    expect(message).not.toContain("\n");
    return message.replaceAll(folder, "");
  }
  throw new Error(`${path} was opened.`);
}

describe.skipIf(process.platform === "win32")("the files of a database", () => {
  it.each([0o000, 0o022, 0o077])("are their owner's alone, whatever the umask is (%o)", async (umask) => {
    const script = `const { openSqlite } = await import(${JSON.stringify(import.meta.resolve("../../src/open-sqlite.ts"))});
      process.umask(${umask});
      const store = openSqlite(process.argv[1]);
      await store.changeSetting("a", undefined, "b");
      process.exit(0);`;
    const { execFileSync } = await import("node:child_process");
    const nested = join(folder, "new", "deep", "a.db");
    const said = execFileSync(process.execPath, ["--input-type=module", "-e", script, nested]);
    expect(String(said)).toBe("");
    for (const suffix of ["", "-wal", "-shm", "-lock"]) expect(modeOf(nested + suffix)).toBe("600");
    expect(modeOf(join(folder, "new", "deep"))).toBe("700");
    expect(modeOf(join(folder, "new"))).toBe("700");
  });

  it("that others may reach cause a warning, which says what to do", async () => {
    await open().close();
    expect(warnings).toEqual([]);
    chmodSync(file, 0o640);
    await open().close();
    expect(warnings).toEqual([expect.stringMatching(/Other users .*Run: chmod 600 '[^']*a\.db'/)]);
    chmodSync(file, 0o600);
    chmodSync(folder, 0o755);
    await open().close();
    expect(warnings).toEqual([expect.stringMatching(/Run: chmod 700 '[^']*'$/)]);
    chmodSync(folder, 0o700);
    await open().close();
    expect(warnings).toEqual([]);
  });

  it("hold nothing of what was deleted", async () => {
    const db = new Database(file);
    await db.run(sql`CREATE TABLE t (x TEXT) STRICT`);
    const secret = "a secret payload";
    for (let at = 0; at < 50; at++) await db.run(sql`INSERT INTO t VALUES (${`${secret} ${at}`})`);
    await db.run(sql`DELETE FROM t`);
    await db.close();
    const { readFileSync } = await import("node:fs");
    expect(readFileSync(file).includes(secret)).toBe(false);
  });
});

describe("a file is refused in one line", () => {
  it("that is empty", () => {
    writeFileSync(file, "");
    expect(refusal()).toBe(
      "The database /a.db can't be used: it is an empty file. Delete it, and the engine makes a new database.",
    );
    expect(statSync(file).size).toBe(0);
    expect(readdirSync(folder)).toEqual(["a.db"]);
  });

  it("that is text, short or long", () => {
    for (const text of ["hello", "SQLite format 3 is the name of it", "x".repeat(5000)]) {
      writeFileSync(file, text);
      expect(refusal()).toBe("The database /a.db can't be used: it is not a database.");
    }
  });

  it.each([0, 0x47504b47])(
    "that is another program's database (application id %i), which stays as it is",
    (id) => {
      const other = new DatabaseSync(file);
      other.exec(`PRAGMA application_id = ${id}; CREATE TABLE runs (x)`);
      other.close();
      expect(refusal()).toMatch(
        /a\.db can't be used: it is a SQLite database, but not one that this engine has made\./,
      );
      const after = new DatabaseSync(file);
      expect(after.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "delete" });
      expect(after.prepare("SELECT name FROM sqlite_schema").all()).toHaveLength(1);
      after.close();
    },
  );

  it.each([
    "mysql://me:secret@db/app",
    "postgres:/me:secret@db/app",
    "FILE:a.db",
    "sqlite:a.db",
    "libsql://db",
  ])("whose name is a URL: %s", (url) => {
    const scheme = url.slice(0, url.indexOf(":") + 1);
    expect(refusal(url)).toBe(
      `The database's URL can't be used: it begins with "${scheme}". Expected the path of a file, or postgres://user:password@host:5432/database.`,
    );
    expect(existsSync(scheme)).toBe(false);
  });

  it("that is a folder, or can't be reached", () => {
    mkdirSync(join(folder, "folder"));
    expect(refusal(join(folder, "folder"))).toBe("The database /folder can't be used: it is a folder.");
    writeFileSync(join(folder, "text"), "text");
    expect(refusal(join(folder, "text", "a.db"))).toMatch(
      /can't be used: a part of its path is(n't a folder| a file)\./,
    );
    symlinkSync(join(folder, "gone"), join(folder, "link"));
    expect(refusal(join(folder, "link"))).toBe(
      "The database /link can't be used: there is no such file or folder.",
    );
    expect(refusal(join(folder, "x".repeat(300)))).toMatch(/can't be used: its path is too long\./);
  });

  it("that is damaged", async () => {
    await open().close();
    const size = statSync(file).size;
    writeFileSync(file, Buffer.alloc(size - 100, 7), { flag: "r+" });
    expect(refusal()).toMatch(/can't be used: it is not a database\./);
  });

  it.skipIf(process.platform === "win32")("that may not be written", async () => {
    await open().close();
    const root = process.getuid?.() === 0;
    if (!root) {
      chmodSync(file, 0o400);
      expect(refusal()).toMatch(/this process may not write to it/);
      return;
    }
    // Root may write everywhere but where the system says no: to a file system of the kernel's.
    expect(refusal("/sys/a.db")).toMatch(/^The database \/sys\/a\.db can't be used: [^\n]+\.$/);
    expect(refusal("/proc/perdure/a.db")).toMatch(/can't be used: there is no such file or folder\.$/);
  });

  it("that another engine uses, under whatever name", async () => {
    open();
    symlinkSync(file, join(folder, "other.db"));
    expect(refusal()).toBe("The database /a.db is in use by another process.");
    expect(refusal(join(folder, "other.db"))).toBe("The database /other.db is in use by another process.");
  });
});

describe("a database", () => {
  it("is complete or not there", async () => {
    // An engine was killed while it made one.
    writeFileSync(`${file}-new`, "half");
    await open().close();
    expect(existsSync(`${file}-new`)).toBe(false);
    expect(new DatabaseSync(file).prepare("PRAGMA application_id").get()).toEqual({
      application_id: 0x50726472,
    });
  });

  it("that is deleted or replaced while it is open takes no more writes, and answers no reads", async () => {
    const store = open();
    expect(await store.changeSetting("a", undefined, "b")).toBe(true);
    renameSync(file, `${file}.away`);
    const gone = new StoreUnavailable(`The database ${file} was deleted or replaced.`);
    await expect(store.changeSetting("a", "b", "c")).rejects.toEqual(gone);
    await expect(store.setting("a")).rejects.toEqual(gone);
    writeFileSync(file, "");
    await expect(store.changeSetting("a", "b", "c")).rejects.toEqual(gone);
    unlinkSync(file);
    mkdirSync(file);
    await expect(store.setting("a")).rejects.toEqual(gone);
    rmdirSync(file);
    copyFileSync(`${file}.away`, file);
    await expect(store.setting("a")).rejects.toEqual(gone);
    renameSync(`${file}.away`, file);
    expect(await store.setting("a")).toBe("b");
  });

  it("whose write-ahead log is deleted while it is open takes no more writes, and keeps what it has", async () => {
    const store = open();
    expect(await store.changeSetting("a", undefined, "b")).toBe(true);
    unlinkSync(`${file}-wal`);
    const refused = /write-ahead log \S+a\.db-wal was deleted or replaced\. Stop the engine/;
    await expect(store.changeSetting("a", "b", "c")).rejects.toThrow(refused);
    await store.close();
    opened.length = 0;
    expect(await open().setting("a")).toBe("b");
  });

  it("takes a large transaction from the log after its callers have their answer, and small ones as ever", async () => {
    const database = new Database(file);
    await database.run(sql`CREATE TABLE t (x BLOB)`);
    const driver = new GroupCommit(database, database.reader());
    const body = new Uint8Array(5_000_000);
    const before = statSync(file).size;
    await driver.write((tx) => tx.run(sql`INSERT INTO t VALUES (${body})`));
    expect(statSync(file).size).toBe(before);
    expect(await driver.read((tx) => tx.one(sql`SELECT length(x) AS n FROM t`))).toEqual({ n: body.length });
    await expect.poll(() => statSync(file).size).toBeGreaterThan(body.length);
    expect(await database.one(sql`PRAGMA wal_autocheckpoint`)).toEqual({ wal_autocheckpoint: 1000 });
    await driver.close();
  });

  it("is read while a write is under way, as it was before", async () => {
    const database = new Database(file);
    await database.run(sql`CREATE TABLE t (x INTEGER)`);
    const driver = new GroupCommit(database, database.reader());
    const count = (): Promise<{ n: number } | undefined> =>
      driver.read((tx) => tx.one<{ n: number }>(sql`SELECT count(*) AS n FROM t`));
    await driver.write(async (tx) => {
      await tx.run(sql`INSERT INTO t VALUES (1)`);
      // It would wait for ever, were it to wait for the writer.
      expect(await count()).toEqual({ n: 0 });
    });
    expect(await count()).toEqual({ n: 1 });
    await driver.close();
  });

  it("shows a read one moment, whatever is written meanwhile", async () => {
    const database = new Database(file);
    await database.run(sql`CREATE TABLE t (x INTEGER)`);
    const driver = new GroupCommit(database, database.reader());
    const seen = await driver.read(async (tx) => {
      const count = (): Promise<{ n: number } | undefined> => tx.one(sql`SELECT count(*) AS n FROM t`);
      const before = await count();
      await driver.write((writing) => writing.run(sql`INSERT INTO t VALUES (1)`));
      return [before, await count()];
    });
    expect(seen).toEqual([{ n: 0 }, { n: 0 }]);
    await driver.close();
  });
});
