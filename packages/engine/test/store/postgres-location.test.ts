import { describe, expect, it } from "vitest";
import { StoreUnavailable } from "../../src/index.ts";
import { readLocation, withoutPassword } from "../../src/store/postgres/location.ts";

const SECRET = "abcdefsecret";

function refusalOf(url: string): string {
  try {
    readLocation(url);
  } catch (error) {
    if (error instanceof StoreUnavailable) return error.message;
    throw error;
  }
  return "";
}

describe("the URL of a PostgreSQL database", () => {
  it("has the engine's parameters, which the driver doesn't get, and those of the server", () => {
    const passed = "sslmode=require&application_name=shop&options=-c+work_mem%3D8MB";
    expect(readLocation(`postgres://u@h/db?connections=7&schema=s&${passed}&pgbouncer=false`)).toEqual({
      url: `postgres://u@h/db?${passed}`,
      connections: 7,
      schema: "s",
      pooled: false,
    });
    expect(readLocation("postgres://u@h/db?pgbouncer=true")).toMatchObject({ connections: 10, pooled: true });
  });

  it.each(["disable", "prefer", "require", "verify-ca", "verify-full"])("may have sslmode=%s", (mode) => {
    expect(readLocation(`postgres://u@h/db?sslmode=${mode}`).url).toContain(mode);
  });

  it.each([
    ["sslmode=foo", 'sslmode must be one of disable, prefer, require, verify-ca, verify-full; got "foo"'],
    ["sslmode=", "sslmode must be one of"],
    ["sslmode=allow", "sslmode must be one of"],
    ["connections=1", "connections must be a number from 2"],
    ["schema=A", "schema must be a name of lower-case letters"],
    ["pgbouncer=1", 'pgbouncer must be "true" or "false"'],
    ["pgbouncer=true&schema=s", "schema can't be used with pgbouncer=true"],
    ["schema=a&schema=b", "it has the parameter schema twice"],
  ])("is refused with %s", (parameters, reason) => {
    expect(refusalOf(`postgres://u@h/db?${parameters}`)).toContain(
      `The database's URL can't be used: ${reason}`,
    );
  });

  it.each(["shcema", "ssl", "sslrootcert", "connect_timeout", "search_path", "max", "passfile", "Schema"])(
    "is refused with the parameter %s, without its value",
    (name) => {
      const message = refusalOf(`postgres://u@h/db?${name}=${SECRET}`);
      expect(message).toContain(
        `there is no parameter "${name}". Possible are connections, schema, pgbouncer, sslmode, application_name, options;`,
      );
      expect(message).not.toContain(SECRET);
    },
  );

  it.each(["user", "password", "PASSWORD", "host", "port", "dbname"])(
    "is refused with its part %s as a parameter",
    (name) => {
      const message = refusalOf(`postgres://h/db?${name}=${SECRET}`);
      expect(message).toContain(`"${name}" is no parameter. Put user and password before the @:`);
      expect(message).not.toContain(SECRET);
    },
  );
});

describe("the URL for logs", () => {
  it.each([
    [`postgres://u:${SECRET}@h/db?schema=s`, "postgres://u:***@h/db?schema=s"],
    ["postgres://u@h/db", "postgres://u@h/db"],
    [`postgres://h:5432/db?user=u&password=${SECRET}`, "postgres://h:5432/db?user=***&password=***"],
    [`postgres://h/db?Password=${SECRET}&schema=s`, "postgres://h/db?Password=***&schema=s"],
    [`postgres://h/db?pasword=${SECRET}`, "postgres://h/db?pasword=***"],
    [`postgres://h/db?password=${SECRET}&password=${SECRET}2`, "postgres://h/db?password=***&password=***"],
    // The password's beginning looks like a port.
    [`postgres://u:1?${SECRET}@h/db`, "postgres://***"],
    [`postgres://u:1/${SECRET}@h/db`, "postgres://***"],
    [`postgres://u:1#${SECRET}@h/db`, "postgres://***"],
    [`postgres://u:p@h/db#${SECRET}`, "postgres://u:***@h/db#***"],
    [`postgres://u:p@1?${SECRET}@h/db`, "postgres://u:***@1?***=***"],
  ])("hides the secret of %s", (url, shown) => {
    expect(withoutPassword(url)).toBe(shown);
    expect(refusalOf(url)).not.toContain(SECRET);
  });
});
