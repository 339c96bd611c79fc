import { existsSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import * as sqlite from "node:sqlite";
import { messageOf } from "../../rules/thrown.ts";
import type { Backup } from "../maintenance.ts";
import { StoreUnavailable } from "../unavailable.ts";
import { createPrivate, openReader } from "./file.ts";

/** Pages that the platform's thread copies in one turn: 4 MiB. */
const PAGES = 1024;

/** Maximum bytes of one read of the copy. */
const PART = 256 * 1024;

/**
 * Copies a snapshot of a database, its write-ahead log included, while other connections read and write it.
 * Only the owner can read the copy. The copy is complete or doesn't exist.
 *
 * @throws StoreUnavailable when `target` already exists, or the copy fails
 */
export async function copyDatabase(path: string, target: string): Promise<void> {
  // The engine runs on versions of Node that can't back up a database.
  if (!("backup" in sqlite)) throw new StoreUnavailable("A backup needs Node 22.16 or later.");
  if (existsSync(target)) throw new StoreUnavailable(`The file ${target} exists already.`);
  const part = `${target}.part`;
  removePart(part);
  try {
    createPrivate(part);
    const source = openReader(path);
    try {
      // The transaction keeps one view of the database. Without it, each write would make the copy begin
      // again.
      source.exec("BEGIN");
      source.prepare("SELECT count(*) FROM sqlite_schema").get();
      await sqlite.backup(source, part, { rate: PAGES });
    } finally {
      source.close();
    }
    renameSync(part, target);
  } catch (cause) {
    removePart(part);
    throw new StoreUnavailable(`The backup ${target} can't be made: ${messageOf(cause)}.`, { cause });
  }
}

function removePart(part: string): void {
  for (const suffix of ["", "-journal"]) rmSync(part + suffix, { force: true });
}

/**
 * Makes a copy beside the database and opens it. The engine deletes the copy after the caller has read or
 * cancelled it.
 */
export async function openBackup(path: string): Promise<Backup> {
  const copy = `${path}-backup`;
  rmSync(copy, { force: true });
  await copyDatabase(path, copy);
  const file = await open(copy, "r");
  const { size } = await file.stat();
  // The operating system frees the bytes when the last process closes the file: a crash leaves nothing
  // behind.
  rmSync(copy);
  const content = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { bytesRead, buffer } = await file.read(new Uint8Array(PART), 0, PART);
        if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead));
        await file.close();
        controller.close();
      },
      cancel: () => file.close(),
    },
    { highWaterMark: 0 },
  );
  return { size, content };
}
