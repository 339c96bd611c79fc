import { createHash } from "node:crypto";
import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/commands/store.ts";
import type { Expiry } from "../../src/rules/retention.ts";
import type { Settlement } from "../../src/rules/settlement.ts";
import type { UrlGroup } from "../../src/rules/url-group.ts";
import type { Receipt } from "../../src/store/receipt.ts";
import { NOT_FOUND, START } from "../harness.ts";
import { append, delivered, failure, grouped, known, plain, start, useStore } from "./kit.ts";

/** Only of what has an end of its own. */
const until = (now: number): Expiry => ({ now, messages: 0, logs: 0, dlq: 0, runs: 0 });
const LIMITS = { endpoints: 3, urlGroups: 2 };
const A = { url: "https://a.test/", name: "a" };
const B = { url: "https://b.test/" };
const CALLBACK = { [HEADER.callback]: "https://a.test/callback" };

export function publishing(name: string, open: () => Promise<Store>): void {
  deduplicating(name, open);
  reporting(name, open);
  grouping(name, open);
  canceling(name, open);
}

function deduplicating(name: string, open: () => Promise<Store>): void {
  describe(`${name}, deduplicating`, () => {
    const kit = useStore(open);

    it("has one message stand for the others, within one request and between several", async () => {
      const receipts = (
        await Promise.all([kit.accept(known("d"), known("d")), kit.accept(known("d"))])
      ).flat();
      expect(receipts.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
      expect(new Set(receipts.map(({ messageId }) => messageId)).size).toBe(1);
      expect((await kit.claim()).claims).toHaveLength(1);
    });

    it("knows ids that are longer than a key of an index may be", async () => {
      // Three bytes a character, which no database can compress.
      const bytes = Array.from({ length: 32 }, (_, at) => [
        ...createHash("sha256").update(`${at}`).digest(),
      ]).flat();
      const long = bytes
        .slice(0, 1023)
        .map((byte, at) => String.fromCharCode(0x4e00 + byte + 256 * (at % 64)))
        .join("");
      const [first] = await kit.accept(known(long));
      const [again] = await kit.accept(known(long));
      expect(again).toMatchObject({ messageId: first?.messageId, deduplicated: true });
      expect(await kit.accept(known(`${long}0`))).toMatchObject([{ deduplicated: false }]);
    });

    it("forgets when the time is over, and not before", async () => {
      await kit.accept(known("d"));
      await kit.store.sweep(until(START + 599_999), 10);
      expect(await kit.accept(known("d", START + 599_999))).toMatchObject([{ deduplicated: true }]);
      expect(await kit.accept(known("d", START + 600_000))).toMatchObject([{ deduplicated: false }]);
      expect(await kit.accept(known("d", START + 600_001))).toMatchObject([{ deduplicated: true }]);
      await kit.store.sweep(until(START + 1_200_000), 10);
      expect(await kit.accept(known("d", START + 600_002))).toMatchObject([{ deduplicated: false }]);
    });

    it("doesn't know what was refused", async () => {
      await expect(kit.accept(known("d"), append("wfr_none", 1))).rejects.toMatchObject({ code: "conflict" });
      expect(await kit.accept(known("d"))).toMatchObject([{ deduplicated: false }]);
    });
  });
}

function reporting(name: string, open: () => Promise<Store>): void {
  describe(`${name}, reporting`, () => {
    const kit = useStore(open);
    const retry: Settlement = { kind: "retry", dueAt: START + 500, failure: failure(START) };

    it("stores the report of an attempt with what the attempt came to", async () => {
      await kit.accept(plain(CALLBACK));
      for (const settlement of [retry, delivered(START)]) {
        await kit.settle(await kit.claimOne(START + 500), settlement);
        const report = await kit.claimOne(START);
        expect(report.message).toMatchObject({ url: "https://a.test/callback", kind: "message" });
        await kit.settle(report, delivered(START));
      }
      expect((await kit.claim(START + 1e9)).claims).toEqual([]);
    });

    it("stores none for an attempt that is no longer anybody's", async () => {
      const [{ messageId }] = (await kit.accept(plain(CALLBACK))) as [Receipt];
      const one = await kit.claimOne();
      await kit.at(START).cancelMessage(messageId);
      expect(await kit.settle(one, delivered(START))).toEqual({ kind: "stale" });
      expect((await kit.claim(START + 1e9)).claims).toEqual([]);
    });

    it("stores none for an attempt that was given back", async () => {
      await kit.accept(plain(CALLBACK));
      await kit.at(START).release([(await kit.claimOne()).lease]);
      expect((await kit.claim()).claims).toMatchObject([{ message: { url: "https://a.test/" } }]);
    });
  });
}

function grouping(name: string, open: () => Promise<Store>): void {
  describe(`${name}, groups`, () => {
    const kit = useStore(open);
    const add = (group: string, ...endpoints: UrlGroup["endpoints"]): Promise<UrlGroup | undefined> =>
      kit.at(START).updateUrlGroup(group, { kind: "add", endpoints }, LIMITS);

    it("are kept by their names", async () => {
      await Promise.all([add("g", A), add("h", B)]);
      await add("g", B);
      const urlGroup = { createdAt: START, updatedAt: START, headers: {} };
      expect(await kit.store.urlGroups()).toEqual([
        { ...urlGroup, name: "g", endpoints: [A, B] },
        { ...urlGroup, name: "h", endpoints: [B] },
      ]);
      expect(await kit.store.urlGroup("g")).toMatchObject({ name: "g" });
      await kit.at(START).updateUrlGroup("g", { kind: "delete" }, LIMITS);
      await expect(kit.store.urlGroup("g")).rejects.toMatchObject(NOT_FOUND);
    });

    it("change, and with their last endpoint are gone", async () => {
      await add("g", A, B);
      const headers = { "Upstash-Retries": "1" };
      expect(await kit.at(START + 1).updateUrlGroup("g", { kind: "headers", headers }, LIMITS)).toEqual({
        name: "g",
        createdAt: START,
        updatedAt: START + 1,
        endpoints: [A, B],
        headers,
      });
      const removal = { kind: "remove", endpoints: [{ name: "a" }, { url: B.url }] } as const;
      expect(await kit.at(START).updateUrlGroup("g", removal, LIMITS)).toBeUndefined();
      await expect(kit.at(START).updateUrlGroup("g", removal, LIMITS)).rejects.toMatchObject({
        code: "not_found",
      });
    });

    it("over the limit stay as they were", async () => {
      await add("g", A, B);
      const [c, d] = [{ url: "https://c.test/" }, { url: "https://d.test/" }];
      await expect(add("g", c, d)).rejects.toMatchObject({ code: "limit_reached" });
      expect((await kit.store.urlGroup("g")).endpoints).toEqual([A, B]);
      await add("h", A);
      await expect(add("i", A)).rejects.toMatchObject({ code: "limit_reached" });
      expect((await kit.store.urlGroups()).map(({ name }) => name)).toEqual(["g", "h"]);
      expect((await add("h", B))?.endpoints).toEqual([A, B]);
    });

    it("are what their messages tell of", async () => {
      await kit.accept(...grouped((await add("g", A, B)) as UrlGroup));
      expect((await kit.claim()).claims.map(({ message }) => message.urlGroup)).toEqual([
        { name: "g", endpoint: "a" },
        { name: "g", endpoint: undefined },
      ]);
    });
  });
}

function canceling(name: string, open: () => Promise<Store>): void {
  describe(`${name}, canceling many`, () => {
    const kit = useStore(open);

    it("takes the newest first, and goes on where it ended", async () => {
      const receipts = await kit.accept(plain(), plain(), plain());
      const first = await kit.at(START).cancelMessages({ count: 2 });
      expect(first).toEqual({ canceled: 2, next: expect.any(Number) });
      expect((await kit.store.message(receipts[0]?.messageId ?? "", START)).message.state).toBe("CREATED");
      const rest = await kit.at(START).cancelMessages({ count: 2, before: first.next });
      expect(rest).toEqual({ canceled: 1, next: undefined });
      expect((await kit.claim()).claims).toEqual([]);
    });

    it("finds messages by their group, and only those", async () => {
      const urlGroup = { name: "g", createdAt: START, updatedAt: START, endpoints: [A, B], headers: {} };
      await kit.accept(plain(), ...grouped(urlGroup));
      expect(await kit.at(START).cancelMessages({ urlGroups: ["g"], count: 9 })).toMatchObject({
        canceled: 2,
      });
      expect((await kit.claim()).claims).toMatchObject([{ message: { urlGroup: undefined } }]);
    });

    it("cancels a run with the last message that it has", async () => {
      await kit.accept(start("wfr_1"), append("wfr_1", 1), start("wfr_2"));
      expect(await kit.at(START).cancelMessages({ count: 2 })).toMatchObject({ canceled: 2 });
      expect(kit.events("run.canceled")).toEqual([
        { type: "run.canceled", runId: "wfr_2", ms: expect.any(Number) },
      ]);
      expect(await kit.stateOf("wfr_1")).toBe("RUN_STARTED");
    });
  });
}
