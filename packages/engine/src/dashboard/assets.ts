import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** A file of the page, ready to be sent. */
export interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly zipped: Uint8Array<ArrayBuffer>;
}

/** The files of the page. */
export interface Assets {
  /** The names of the script and of the stylesheet, each with a hash of its content. */
  readonly script: string;
  readonly style: string;
  readonly icon: string;
  readonly files: ReadonlyMap<string, Asset>;
}

const TYPES = {
  "dashboard.js": "text/javascript; charset=utf-8",
  "dashboard.css": "text/css; charset=utf-8",
  "dashboard.svg": "image/svg+xml",
} as const;

/**
 * Reads the files of the page.
 *
 * @returns undefined in a checkout that hasn't built the page yet
 */
export function readAssets(): Assets | undefined {
  // The same relative path works from src/ and from dist/. The build of packages/dashboard writes this folder.
  const folder = new URL("./assets/", import.meta.url);
  const files = new Map<string, Asset>();
  const names = Object.entries(TYPES).map(([file, type]) => {
    const path = new URL(file, folder);
    if (!existsSync(path)) return undefined;
    const bytes = new Uint8Array(readFileSync(path));
    const hash = createHash("sha256").update(bytes).digest("base64url").slice(0, 10);
    const name = file.replace(".", `-${hash}.`);
    files.set(name, { type, bytes, zipped: new Uint8Array(gzipSync(bytes, { level: 9 })) });
    return name;
  });
  const [script, style, icon] = names;
  if (script === undefined || style === undefined || icon === undefined) return undefined;
  return { script, style, icon, files };
}
