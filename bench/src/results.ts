import { writeFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";
import { type Bar, isMet, median, type Row } from "./measure.ts";

const FOLDER = fileURLToPath(new URL("../", import.meta.url));

/** Prints a row: `name  ratio  bar  ok|SHORT`. */
export function print(row: Row): void {
  const columns = [
    row.name.padEnd(58),
    ratioOf(row).padStart(20),
    barOf(row.bar).padStart(9),
    verdictOf(row),
  ];
  console.log(`${columns.join("  ")}\n    ${row.figures}`);
}

/** Writes the rows into a file of this folder, with the machine that they were measured on. */
export function write(file: string, rows: readonly Row[], settings: readonly string[]): void {
  const [cpu] = cpus();
  const lines = [
    "# Results of the benchmarks",
    "",
    "Written by `npm run bench`. Each ratio is the median of several rounds in one run, with the smallest and the largest one.",
    "The absolute figures are those of the machine and of the moment; only the ratios compare.",
    "",
    `- ${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpu?.model.trim() ?? "unknown CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}, Node ${process.version}`,
    ...settings.map((setting) => `- ${setting}`),
    "",
    "| what | ratio | bar | | figures |",
    "|---|---|---|---|---|",
    ...rows.map(
      (row) => `| ${row.name} | ${ratioOf(row)} | ${barOf(row.bar)} | ${verdictOf(row)} | ${row.figures} |`,
    ),
    "",
  ];
  writeFileSync(FOLDER + file, lines.join("\n"));
}

function ratioOf({ ratios }: Row): string {
  const digits = (ratio: number): string => ratio.toFixed(2);
  const middle = digits(median(ratios));
  if (ratios.length === 1) return middle;
  return `${middle} (${digits(Math.min(...ratios))}–${digits(Math.max(...ratios))})`;
}

function barOf(bar: Bar | undefined): string {
  if (!bar) return "";
  return "atMost" in bar ? `≤ ${bar.atMost}` : `≥ ${bar.atLeast}`;
}

function verdictOf(row: Row): string {
  if (!row.bar) return "";
  return isMet(row) ? "ok" : "SHORT";
}
