import { describe, expect, it } from "vitest";
import { PostgresDriver } from "../../src/store/postgres/driver.ts";
import { failureOf } from "../../src/store/postgres/faults.ts";
import { sql } from "../../src/store/tx.ts";
import { StoreUnavailable } from "../../src/store/unavailable.ts";

/** A driver whose server answers with this error to each statement that `fails` says. */
function driverOf(code: string, fails: (text: string) => boolean) {
  const asked: string[] = [];
  const session = {
    losses: 0,
    connect: async () => {},
    async query(text: string) {
      asked.push(text);
      if (fails(text)) throw failureOf(Object.assign(new Error("as the server says it"), { code }));
      return { rows: [], changes: 0 };
    },
    close: async () => {},
  };
  const sessions = { writers: [session], readers: [session], patience: 0 };
  return { driver: new PostgresDriver(sessions), asked };
}

const insert = sql`INSERT INTO t VALUES (1)`;

describe("an error of a PostgreSQL server", () => {
  it.each([
    ["53000", "its server lacks resources"],
    ["53100", "its disk is full"],
    ["53200", "its server is out of memory"],
    ["53300", "its server has too many connections"],
    ["53400", "its server lacks resources"],
    ["25006", "it is read-only: is it a standby?"],
    ["42501", "its user lacks a right: docs/postgres.md says which ones an engine needs"],
    ["3F000", "its user may use no schema of the search path"],
    ["57P01", "its server is starting, stopping or was stopped"],
    ["57P03", "its server is starting, stopping or was stopped"],
    ["58030", "its server can't read or write its files"],
    ["XX001", "it is damaged: restore a backup"],
    ["08006", "its server can't be reached"],
    ["ECONNREFUSED", "its server can't be reached"],
    ["CONNECTION_CLOSED", "its server can't be reached"],
  ])("with code %s says that the store is unavailable: %s", async (code, reason) => {
    const { driver } = driverOf(code, (text) => text.startsWith("INSERT"));
    const failed = driver.write((tx) => tx.run(insert));
    await expect(failed).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(failed).rejects.toThrow(`The database can't be used: ${reason} (as the server says it).`);
    await expect(driver.read((tx) => tx.one(sql`INSERT INTO t VALUES (2) RETURNING 1`))).rejects.toThrow(
      StoreUnavailable,
    );
  });

  it.each(["23505", "42P01", "40001", "22P02", ""])("with code %j is the statement's own", async (code) => {
    const { driver } = driverOf(code, (text) => text.startsWith("INSERT"));
    const failed = driver.write((tx) => tx.run(insert));
    await expect(failed).rejects.not.toBeInstanceOf(StoreUnavailable);
    await expect(failed).rejects.toMatchObject({ code });
  });

  it("at a COMMIT fails all writes of the transaction, which the server rolls back, and the next is tried", async () => {
    let full = true;
    const { driver, asked } = driverOf("53100", (text) => full && text === "COMMIT");
    const writes = [1, 2, 3].map(() => driver.write((tx) => tx.run(insert)));
    for (const write of writes) await expect(write).rejects.toThrow("its disk is full");
    expect(asked.at(-1)).toBe("COMMIT");
    full = false;
    expect(await driver.write((tx) => tx.run(insert))).toBe(0);
    expect(asked.at(-1)).toBe("COMMIT");
  });
});
