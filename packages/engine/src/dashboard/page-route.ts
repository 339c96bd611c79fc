import type { Asset, Assets } from "./assets.ts";
import { shell } from "./shell.ts";
import { refuse, type Visit } from "./visit.ts";

const ASSETS = "/assets/";

/** Serves the page's files, and the same document for every other path: the script reads the path. */
export function servePage(path: string, { request, parts }: Visit, assets: Assets | undefined): Response {
  const { method } = request;
  if (method !== "GET" && method !== "HEAD")
    return refuse(405, `${parts.basePath}${path} takes GET, not ${method}`, { Allow: "GET, HEAD" });
  if (!assets)
    return refuse(503, "this checkout has no built dashboard; build it: node packages/dashboard/build.mjs");
  if (!path.startsWith(ASSETS)) {
    return new Response(shell(parts.basePath, assets), {
      headers: { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" },
    });
  }
  const asset = assets.files.get(path.slice(ASSETS.length));
  return asset ? send(asset, request) : refuse(404, `not found: ${parts.basePath}${path}`);
}

function send({ type, bytes, zipped }: Asset, { headers }: Request): Response {
  const zip = /\bgzip\b/.test(headers.get("accept-encoding") ?? "");
  return new Response(zip ? zipped : bytes, {
    headers: {
      "Content-Type": type,
      // The name has a hash of the content.
      "Cache-Control": "public, max-age=31536000, immutable",
      Vary: "Accept-Encoding",
      ...(zip ? { "Content-Encoding": "gzip" } : {}),
    },
  });
}
