import { expect, it } from "vitest";
import { runtimes, startApp } from "../src/runtimes.ts";

it("the test kit says on workerd where tests of workflows run instead", async () => {
  const server = await startApp("test-kit", runtimes.workerdCompat)({});
  try {
    const text = await (await fetch(server.url)).text();
    expect(text).toContain(
      "TypeError: @perdure/test needs the runtime's SQLite, which workerd doesn't have.",
    );
  } finally {
    await server.stop();
  }
});
