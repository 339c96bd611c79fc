import { fileURLToPath } from "node:url";
import { bundleSize } from "@perdure/test-support/bundle";
import type { Row } from "./measure.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** `serve` and `Client` with everything they need, minified and gzipped: ours divided by the official SDK's. */
export async function bundle(): Promise<Row> {
  const [ours, theirs] = [
    await bundleSize("@perdure/core", FOLDER),
    await bundleSize("@upstash/workflow", FOLDER),
  ];
  return {
    name: "bundle ÷ @upstash/workflow's",
    ratios: [ours / theirs],
    bar: { atMost: 0.7 },
    figures: `${ours} and ${theirs} bytes`,
  };
}
