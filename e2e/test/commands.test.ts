import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { serve } from "@perdure/adapters/node";
import { Client, WorkflowNonRetryableError } from "@perdure/core";
import { DEV_CREDENTIALS } from "@perdure/core/protocol";
import { INHERITED } from "@perdure/test-support/inherited";
import { CLI, Process, temporaryFolder } from "@perdure/test-support/process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = temporaryFolder();
const { token, currentSigningKey: current, nextSigningKey: next } = DEV_CREDENTIALS;
let engine: Process;
let url: string;
let client: Client;
let app: Server;
let order: string;
let declined = true;

beforeAll(async () => {
  engine = Process.node(CLI, ["dev", "--port", "0", "--db", join(folder.path, "dev.db")], {});
  url = (await engine.line(/running at (\S+)/))[1] ?? "";
  client = new Client({ baseUrl: url, token, devMode: true });
  const workflow = serve<{ id: number; nap?: boolean; wait?: boolean }>(
    async (context) => {
      const { id, nap, wait } = context.requestPayload;
      await context.run("reserve", () => `reserved ${id}`, { rollback: () => undefined });
      if (nap) await context.sleep("nap", "1h");
      if (wait) await context.waitForEvent("approval", `approve-${id}`, { timeout: "1h" });
      return context.run("charge", () => {
        if (declined && !nap && !wait)
          throw new WorkflowNonRetryableError(`card ${id} \u001b[31m\u202edeclined\u009b`);
        return `charged ${id}`;
      });
    },
    {
      qstashClient: { baseUrl: url, token },
      keys: { current, next },
      failureFunction: () => "told the customer",
      rollbackOnCancel: true,
      cancelFunction: () => "told the shop",
    },
  );
  app = createServer(workflow).listen(0, "127.0.0.1");
  await once(app, "listening");
  order = `http://127.0.0.1:${(app.address() as AddressInfo).port}/order`;
});
afterAll(async () => {
  await engine.kill("SIGKILL");
  app.closeAllConnections();
  app.close();
  folder.remove();
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end, without a terminal. */
function perdure(
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: object } = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = {
      cwd: folder.path,
      env: { ...INHERITED, PERDURE_URL: url, PERDURE_TOKEN: token, ...env },
    };
    const child = execFile(process.execPath, [CLI, ...args], options, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
    child.stdin?.end(input);
  });
}

/** Runs a command, and returns its JSON. */
async function json<Answer>(...args: string[]): Promise<Answer> {
  const { code, out, err } = await perdure([...args, "--json"]);
  expect({ code, err }).toMatchObject({ code: 0 });
  expect(out).not.toMatch(/[\u007f-\u009f\p{Cf}]/u);
  return JSON.parse(out) as Answer;
}

async function failedRun(id: number): Promise<string> {
  const { code, err } = await perdure([
    "trigger",
    order,
    "--body",
    JSON.stringify({ id }),
    "--wait",
    "--id",
    `order-${id}`,
  ]);
  expect({ code, err }).toMatchObject({ code: 1 });
  return `wfr_order-${id}`;
}

describe("perdure trigger", () => {
  it("prints the id, and with --wait the result", async () => {
    const started = await perdure([
      "trigger",
      order,
      "--body",
      '{"id":1,"nap":true}',
      "--id",
      "nap-1",
      "--label",
      "trial",
    ]);
    expect(started).toMatchObject({ code: 0, out: "wfr_nap-1\n" });
    const waiting = perdure(["trigger", order, "--body", "-", "--id", "wait-2", "--wait", "30s"], {
      input: '{"id":2,"wait":true}',
    });
    await expect.poll(() => json("notify", "approve-2", "--data", '{"ok":true}')).toHaveLength(1);
    expect(await waiting).toMatchObject({ code: 0, out: '"charged 2"\n' });
  });

  it("names the person in the audit log, and the workflow", async () => {
    const args = ["trigger", order, "--body", '{"id":5}', "--id", "by-grace", "--json"];
    const started = await perdure(args, { env: { PERDURE_USER: "Grace Hüttner" } });
    expect(started.code).toBe(0);
    expect(JSON.parse(started.out)).toEqual({ workflowRunId: "wfr_by-grace", deduplicated: false });
    const query = new URLSearchParams({ person: "Grace Hüttner" });
    const audit = await fetch(`${url}/v2/workflows/audit?${query}`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(await audit.json()).toMatchObject({
      entries: [{ person: "Grace Hüttner", action: "POST /v2/batch", target: order }],
    });
  });

  it("says with --wait why the end takes its time", async () => {
    const args = ["trigger", order, "--body", '{"id":4,"nap":true}', "--id", "nap-4", "--wait"];
    const waiting = Process.node(CLI, [...args, "--url", url, "--token", token]);
    await expect
      .poll(() => waiting.lines.join("\n"))
      .toMatch(/^wfr_nap-4\n(?:waits: step "nap" sleeps until|.* wfr_nap-4 step\.waiting {2}nap {2}until) /);
    expect(await perdure(["wake", "nap-4"])).toMatchObject({ code: 0 });
    expect(await waiting.ended).toBe(0);
    expect(waiting.lines.at(-1)).toBe('"charged 4"');
  });

  it("says with --wait why the first attempt failed", async () => {
    const refusing = createServer((_, response) => void response.writeHead(401).end("who are you?"));
    await once(refusing.listen(0, "127.0.0.1"), "listening");
    const { port } = refusing.address() as AddressInfo;
    const args = ["trigger", `http://127.0.0.1:${port}/order`, "--wait", "1s"];
    const { code, err } = await perdure(args);
    refusing.close();
    expect(code).toBe(1);
    expect(err).toMatch(/attempt 2 .*(?:; the last one failed: |401 )who are you\?/);
  });

  it("reads a body from a file, and ends with 1 when the run fails", async () => {
    writeFileSync(join(folder.path, "order.json"), '{"id":3}');
    const failed = await perdure(["trigger", order, "--body", "@order.json", "--wait"]);
    expect(failed).toMatchObject({ code: 1, out: "" });
    // The command may look at the run while its failure function is called.
    expect(failed.err).toMatch(
      /^wfr_\S+\n(?:waits: the failure function .*\n)?The run wfr_\S+ failed in step "charge": \w+: card 3 declined\n$/,
    );
  });

  it("says what is wrong with its arguments, and ends with 2", async () => {
    for (const [args, message] of [
      [["trigger", order, "--body", "@none.json"], 'The file "none.json" can\'t be read'],
      [["trigger", order, "--header", "x"], '--header must be "name: value"; got "x".'],
      [
        ["trigger", order, "--retries", "many"],
        '--retries must be a whole number of at least 0; got "many".',
      ],
      [["trigger", "nowhere"], "nowhere"],
      [
        ["runs", "--state", "lo\u001b[31mst"],
        '--state must be one of running, succeeded, failed, cancelled; got "lost".',
      ],
      [
        ["runs", "--since", "yesterday"],
        '--since must be a duration such as 90s, 15m, 2h or 7d; got "yesterday".',
      ],
      [["runs", "--no-such\u001b[31m-flag"], "unknown option '--no-such-flag'"],
      [["cancel"], "Name runs, select them by flags such as --workflow, or give --all."],
    ] as const) {
      const { code, err } = await perdure(args);
      expect({ args, code }).toEqual({ args, code: 2 });
      expect(err).toContain(message);
      expect(err).not.toMatch(/\n\s+at /);
      expect(err).not.toMatch(/(?!\n)\p{Cc}/u);
    }
  });
});

describe("perdure runs and show", () => {
  it("lists runs in a table that no run's text can break, and as JSON", async () => {
    const runId = await failedRun(10);
    const { out } = await perdure(["runs", "--state", "failed"]);
    const [titles, row] = out.split("\n");
    expect(titles).toMatch(/^RUN +WORKFLOW +STATE +STARTED +TOOK +STEPS/);
    expect(row).toContain(runId);
    expect(row).toMatch(/\/order +failed .*card 10 declined/);
    expect(out).not.toContain("\u001b[31m");
    const runs = await json<{ workflowRunId: string; workflowState: string }[]>(
      "runs",
      "--workflow",
      order,
      "--limit",
      "2",
    );
    expect(runs).toHaveLength(2);
    expect(runs[0]).toMatchObject({ workflowRunId: runId, workflowState: "RUN_FAILED" });
    expect(await json("runs", "--label", "no such label")).toEqual([]);
    for (const search of ['decl "card 10"', '"card 10" order reserved', runId]) {
      expect(await json("runs", "--search", search), search).toMatchObject([{ workflowRunId: runId }]);
    }
    expect(await json("runs", "--search", '"10 card"')).toEqual([]);
    expect((await perdure(["runs", "--search", "!"])).err).toContain("no word to search for");
  });

  it("shows a run by a unique beginning of its id, with the story of its failure", async () => {
    const runId = await failedRun(11);
    const { code, out } = await perdure(["show", "order-11"]);
    expect(code).toBe(0);
    expect(out).toContain(runId);
    expect(out).toContain('{"id":11}');
    expect(out).toMatch(/reserve +Run +succeeded/);
    expect(out).toMatch(/charge +Run +failed/);
    expect(out).toMatch(/charge .*card 11 declined/);
    expect(out).toMatch(/failed in step "charge": \w+: card 11 declined/);
    expect(out).toMatch(/rollback reserve: done/);
    expect(out).toMatch(/failure function ran: .*told the customer/);
    expect(out).toMatch(/perdure dlq resume \S+/);
    expect(await json("show", runId)).toMatchObject({ workflowRunId: runId, workflowState: "RUN_FAILED" });
  });

  it("shows what followed the cancellation of a run", async () => {
    await client.trigger({ url: order, body: { id: 15, nap: true }, workflowRunId: "nap-15" });
    await expect
      .poll(async () => (await perdure(["show", "nap-15"])).out)
      .toMatch(/waits: step "nap" sleeps/);
    await client.cancel("wfr_nap-15");
    await client.runs.wait("wfr_nap-15", { failureFunction: "wait" });
    const { out } = await perdure(["show", "nap-15"]);
    expect(out).toMatch(/reserve +Run +succeeded/);
    expect(out).toMatch(/nap +SleepFor +cancelled/);
    expect(out).toMatch(/\nrollback reserve: done\ncancel function ran: \{"result":"told the shop"\}\n/);
  });

  it("shows what a run waits for", async () => {
    await client.trigger({ url: order, body: { id: 12, wait: true }, workflowRunId: "wait-12" });
    await expect
      .poll(async () => (await perdure(["show", "wait-12"])).out)
      .toMatch(/waits: step "approval" waits for event "approve-12"/);
  });

  it("ends with 4 for a run that isn't there, and for a beginning that fits several", async () => {
    const unknown = await perdure(["show", "nobody"]);
    expect(unknown).toMatchObject({ code: 4, out: "" });
    expect(unknown.err).toContain('knows no run whose id begins with "nobody"');
    await failedRun(13);
    const several = await perdure(["show", "order-1"]);
    expect(several.code).toBe(4);
    expect(several.err).toMatch(/Several runs have ids that begin with "order-1": .*wfr_order-1/);
  });
});

describe("perdure wake, cancel and dlq", () => {
  it("ends a sleep", async () => {
    await client.trigger({ url: order, body: { id: 20, nap: true }, workflowRunId: "nap-20" });
    await expect.poll(() => perdure(["wake", "nap-20"])).toMatchObject({ code: 0, out: "1 sleep ended.\n" });
    expect(await client.runs.wait("wfr_nap-20", { timeout: "20s" })).toMatchObject({ result: "charged 20" });
  });

  it("cancels one run at once, and several only with --yes", async () => {
    const ids = [21, 22, 23].map((id) => `nap-${id}`);
    for (const id of ids)
      await client.trigger({ url: order, body: { id: 1, nap: true }, workflowRunId: id, label: "to-cancel" });
    const env = { PERDURE_USER: "Ada" };
    expect(await perdure(["cancel", "nap-21"], { env })).toMatchObject({
      code: 0,
      out: "1 run cancelled.\n",
    });
    const headers = { Authorization: `Bearer ${token}` };
    const audit = await fetch(`${url}/v2/workflows/audit?person=Ada`, { headers });
    expect(await audit.json()).toMatchObject({ entries: [{ target: expect.stringContaining("nap-21") }] });
    const asked = await perdure(["cancel", "--label", "to-cancel"]);
    expect(asked).toMatchObject({ code: 2, out: "" });
    expect(asked.err).toContain("Cancel 2 runs? There is no terminal to ask on: add --yes to do it.");
    expect(await perdure(["cancel", "--label", "to-cancel", "--yes"])).toMatchObject({
      code: 0,
      out: "2 runs cancelled.\n",
    });
    expect(await json("runs", "--label", "to-cancel", "--state", "cancelled")).toHaveLength(3);
  });

  it("lists errors, resumes all runs with one, restarts with another payload, and deletes", async () => {
    const runs = [await failedRun(30), await failedRun(31)];
    const groups = await json<{ fingerprint: string; count: number; message: string }[]>("dlq", "groups");
    const group = groups.find(({ message }) => message.includes("declined")) ?? expect.unreachable();
    expect(group.count).toBeGreaterThan(1);
    const letters = await json<{ dlqId: string; workflowRunId: string }[]>(
      "dlq",
      "list",
      "--error",
      group.fingerprint,
    );
    const own = letters.filter(({ workflowRunId }) => runs.includes(workflowRunId)).map(({ dlqId }) => dlqId);
    expect(own).toHaveLength(2);
    expect((await perdure(["dlq", "list"])).out).toMatch(/^DLQ ID +RUN/);
    expect(JSON.parse((await perdure(["dlq", "show", own[0] ?? ""])).out)).toMatchObject({ dlqId: own[0] });
    declined = false;
    try {
      const resumed = await perdure(["dlq", "resume", own[0] ?? ""]);
      expect(resumed.code).toBe(0);
      expect(await client.runs.wait(resumed.out.trim(), { timeout: "20s" })).toMatchObject({
        workflowState: "RUN_SUCCESS",
      });
      const restarted = await perdure(["dlq", "restart", own[1] ?? "", "--payload", '{"id":99}']);
      expect(await client.runs.wait(restarted.out.trim(), { timeout: "20s" })).toMatchObject({
        result: "charged 99",
      });
      const plain = createServer((_, response) => void response.end("all fine"));
      await once(plain.listen(0, "127.0.0.1"), "listening");
      const nothing = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`;
      await client.trigger({ url: nothing, retries: 0, workflowRunId: "no-workflow" });
      await client.runs.wait("wfr_no-workflow");
      plain.close();
      expect((await perdure(["dlq", "list"])).out).toMatch(/no-workflow .* 200 +detected a non-workflow/);
      const refused = await perdure(["dlq", "delete", "--all"]);
      expect(refused.code).toBe(2);
      expect(refused.err).toMatch(/Delete \d+ dead letters\?/);
      const deleted = await perdure(["dlq", "delete", "--all", "--yes"]);
      expect(deleted).toMatchObject({
        code: 0,
        err: expect.stringMatching(/^\d+ dead letters deleted\.\n$/),
      });
      expect(await json("dlq", "list")).toEqual([]);
      const gone = await perdure(["dlq", "resume", own[0] ?? ""]);
      expect(gone).toMatchObject({ code: 4, out: "" });
      expect(gone.err).toContain(`The dead letter queue has no ${own[0]}.`);
    } finally {
      declined = true;
    }
  });
});

describe("perdure tail", () => {
  it("prints a run's events until it ends", async () => {
    await client.trigger({ url: order, body: { id: 40, wait: true }, workflowRunId: "tail-40" });
    const tail = Process.node(CLI, ["tail", "tail-40", "--url", url, "--token", token]);
    // The run's first event after the command has connected: the command prints it.
    await expect
      .poll(
        async () => {
          await client.notify({ eventId: "approve-40", workflowRunId: "wfr_tail-40" });
          return tail.lines.length;
        },
        { interval: 100 },
      )
      .toBeGreaterThan(0);
    expect(await tail.ended).toBe(0);
    expect(tail.lines.join("\n")).toMatch(/wfr_tail-40 run\.completed|wfr_tail-40 has ended/);
  });

  it("ends without an error when nobody reads it any more", async () => {
    const tail = spawn(process.execPath, [CLI, "tail", "--url", url, "--token", token], { env: INHERITED });
    let complaint = "";
    tail.stderr.on("data", (part) => (complaint += part));
    tail.stdout.once("data", () => tail.stdout.destroy());
    const ended = once(tail, "exit");
    let isOver = false;
    void ended.then(() => (isOver = true));
    await expect
      .poll(
        async () => {
          await client.trigger({ url: order, body: { id: 43, nap: true } });
          return isOver;
        },
        { timeout: 30_000, interval: 100 },
      )
      .toBe(true);
    expect(await ended).toEqual([0, null]);
    expect(complaint).toBe("");
  });

  it("ends when the run has ended before", async () => {
    const runId = await failedRun(41);
    const { code, out, err } = await perdure(["tail", runId]);
    expect({ code, out, err }).toEqual({
      code: 0,
      out: "",
      err: `The run ${runId} has ended. perdure show ${runId} prints it.\n`,
    });
  });

  it("follows all runs as JSON", async () => {
    const tail = Process.node(CLI, ["tail", "--json", "--url", url, "--token", token]);
    try {
      // The commands follow the runs that begin after they have connected.
      await expect
        .poll(
          async () => {
            await client.trigger({ url: order, body: { id: 42 } });
            return tail.lines.map((line) => (JSON.parse(line) as { type: string }).type);
          },
          { interval: 200 },
        )
        .toContain("run.started");
    } finally {
      await tail.kill("SIGKILL");
    }
  });
});

describe("perdure queues, flows and schedules", () => {
  it("lists them, and pauses and resumes by name", async () => {
    await fetch(`${url}/v2/queues`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ queueName: "mails", parallelism: 3 }),
    });
    await client.schedules.create({ url: order, cron: "0 9 * * 1", scheduleId: "weekly" });
    expect(await perdure(["queues", "pause", "mails"])).toMatchObject({ code: 0, out: "mails is paused.\n" });
    expect((await perdure(["queues"])).out).toMatch(/mails +3 +0 +paused/);
    expect(await perdure(["queues", "resume", "mails"])).toMatchObject({
      code: 0,
      out: "mails is resumed.\n",
    });
    expect(await perdure(["schedules", "pause", "weekly"])).toMatchObject({ code: 0 });
    expect(await json("schedules")).toMatchObject([{ scheduleId: "weekly", isPaused: true }]);
    expect(await perdure(["flows"])).toMatchObject({ code: 0, out: "No flow control keys.\n" });
    expect(await perdure(["queues", "pause", "none"])).toMatchObject({ code: 4 });
  });
});

describe("the engine that a command asks", () => {
  it.each([
    ["notify", ".."],
    ["notify", "approval", "--run", "."],
    ["queues", "pause", ".."],
    ["dlq", "show", ".."],
  ])("isn't asked for what no URL can name: %s %s %s", async (...args) => {
    const dots = args.find((arg) => /^\.+$/.test(arg));
    const { code, err } = await perdure([...args, "--url", url]);
    expect(err).toContain(`A name or an id can't be "${dots}".`);
    expect(code).toBe(2);
  });

  it("ends with 3 when none answers, 1 for a wrong token, and never shows the token", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const nowhere = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
    closed.close();
    const away = await perdure(["runs"], { env: { PERDURE_URL: nowhere } });
    expect(away.code).toBe(3);
    expect(away.err).toBe(
      `No engine answers at ${nowhere}: connection refused. Start one with "npx perdure dev", or name another with --url.\n`,
    );
    const secure = url.replace("http:", "https:");
    expect((await perdure(["runs"], { env: { PERDURE_URL: secure } })).err).toBe(
      `No engine answers at ${secure}: TLS failed (wrong version number): the server speaks no TLS, call it by http://. Start one with "npx perdure dev", or name another with --url.\n`,
    );
    const refused = await perdure(["runs", "--token", "wrong-token-123"]);
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/answers 401: /);
    expect(refused.err).not.toContain("wrong-token-123");
    const tokenless = await perdure(["runs"], {
      env: { PERDURE_URL: "https://engine.test", PERDURE_TOKEN: "" },
    });
    expect(tokenless).toMatchObject({ code: 2 });
    expect(tokenless.err).toContain("There is no token for https://engine.test.");
  });

  it("ends with 3, and one line, when the server is something else", async () => {
    const bodies = ["<title>\u001b[31mMy app</title>", "null", '{"runs":['];
    const app = createServer((request, response) => response.end(bodies[Number(request.url?.at(1))]));
    await once(app.listen(0, "127.0.0.1"), "listening");
    const { port } = app.address() as AddressInfo;
    const outcomes = await Promise.all(
      bodies.map((_, at) => perdure(["runs"], { env: { PERDURE_URL: `http://127.0.0.1:${port}/${at}` } })),
    );
    app.close();
    for (const [at, { code, err }] of outcomes.entries())
      expect({ code, err }).toEqual({
        code: 3,
        err: `The server at http://127.0.0.1:${port}/${at} is no Perdure engine: its answer to GET /v2/workflows/runs isn't JSON. Name the engine with --url, or set PERDURE_URL.\n`,
      });
  });

  it("prints the dashboard's link of a run", async () => {
    const runId = await failedRun(50);
    const { out } = await perdure(["open", "order-50", "--print"]);
    expect(out).toBe(`${url}/dashboard/runs/${runId}\n`);
  });
});

describe("perdure completion", () => {
  it.each(["bash", "zsh", "fish"])("prints a script for %s that knows the commands", async (shell) => {
    const { code, out } = await perdure(["completion", shell]);
    expect(code).toBe(0);
    for (const word of ["trigger", "dlq", "--workflow"].map((one) => one.replace(/^--/, "")))
      expect(out).toContain(word);
  });

  /** A line of a shell with the cursor at its end, and the words that complete it. */
  const COMPLETED = [
    ["perdure dlq re", ["restart", "resume", "retry"]],
    ["perdure dlq resu", ["resume"]],
    ["perdure tri", ["trigger"]],
    ["perdure trigger --retr", ["--retries"]],
    ["perdure runs --state ", ["cancelled", "failed", "running", "succeeded"]],
    ["perdure runs --state fa", ["failed"]],
    ["perdure cancel --state=fa", ["failed"]],
    ["perdure runs --state failed,ca", ["cancelled"]],
    ["perdure start --log-level d", ["debug"]],
    ["perdure completion z", ["zsh"]],
    ["perdure runs --label fa", ["fare.txt"]],
  ] as const;

  async function inShell(shell: string, ...args: string[]): Promise<string> {
    const { out: script } = await perdure(["completion", shell]);
    writeFileSync(join(folder.path, `perdure.${shell}`), script);
    writeFileSync(join(folder.path, "fare.txt"), "");
    return new Promise((resolve, reject) => {
      // Not this machine's own settings.
      const options = { cwd: folder.path, env: { ...INHERITED, HOME: folder.path, TERM: "dumb" } };
      execFile(shell, args, options, (error, out, err) =>
        error ? reject(new Error(`${out}\n${err}`, { cause: error })) : resolve(out),
      );
    });
  }

  const hasShell = (shell: string): boolean => spawnSync(shell, ["--version"]).error === undefined;

  it.skipIf(!hasShell("bash"))("completes words and values in bash", async () => {
    // Readline splits a line at blanks and at =, and falls back to files.
    const program = `source ./perdure.bash
while IFS= read -r line; do
  read -ra COMP_WORDS <<< "\${line//=/ = }"
  [[ $line == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
  _perdure
  (( \${#COMPREPLY[@]} )) || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
  echo "\${COMPREPLY[@]}"
done <<'LINES'
${COMPLETED.map(([line]) => line).join("\n")}
LINES`;
    const lines = (await inShell("bash", "-c", program)).trim().split("\n");
    expect(lines.map((line) => line.split(" ").map(lastPart).sort())).toEqual(
      COMPLETED.map(([, words]) => words),
    );
  });

  it.skipIf(!hasShell("fish"))("completes words and values in fish", async () => {
    const asks = COMPLETED.map(([line]) => `complete -C '${line}' | string replace -r '\t.*' ''; echo .`);
    const out = await inShell("fish", "--no-config", "-c", `source perdure.fish\n${asks.join("\n")}`);
    const answers = out.split(".\n").slice(0, -1);
    expect(answers.map((answer) => answer.trim().split("\n").map(lastPart).sort())).toEqual(
      COMPLETED.map(([, words]) => words),
    );
  });

  it.skipIf(!hasShell("zsh"))("completes words and values in zsh", async () => {
    const single = COMPLETED.filter(([, words]) => words.length === 1);
    // A terminal of zsh's own: a word that is alone is inserted into the line, which Enter then runs.
    const program = `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -Uz compinit; compinit -D -u; source ./perdure.zsh; perdure() { print -r -- "<$*>" }; print ready\${:-.}'
zpty -r shell out '*ready.*'
${single.map(([line]) => `zpty -w -n shell $'${line}\t\n'; zpty -r shell out '*<*>*'; print -r -- $out`).join("\n")}
zpty -d shell`;
    const out = await inShell("zsh", "-f", "-c", program);
    const ran = [...out.matchAll(/<(.*?)>/g)].map(([, words = ""]) =>
      lastPart(words.trim().split(" ").at(-1) ?? ""),
    );
    expect(ran).toEqual(single.map(([, [word]]) => word));
  });
});

/** What follows the last = or comma of a word: a shell may print what stands before it again. */
function lastPart(word: string): string {
  return word.split(/[=,]/).at(-1) ?? "";
}
