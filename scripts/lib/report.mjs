// What a person and a machine read of `npm test`.
const paint = (code, text) => (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text);
const mark = (ok) => (ok ? paint(32, "✓") : paint(31, "✗"));

/** What goes on until the next line. */
export const begins = (group) => process.stdout.write(`${group} …\n`);

/** One line a check, as it ends; a test runner that shows its own is `quiet`. */
export function progress({ group, name, ok, quiet }) {
  if (!quiet) process.stdout.write(`${mark(ok)} ${group}: ${name}\n`);
}

/**
 * Prints what failed and why, the counts of each group, and the closing line.
 *
 * @param seconds that each group has taken, by its name
 * @returns the exit code
 */
export function summary(results, seconds) {
  const failed = results.filter(({ ok }) => !ok);
  const lines = failed.flatMap(({ group, name, output }) => [
    `\n${mark(false)} ${group}: ${name}`,
    (output ?? "").trim().replaceAll(/^/gm, "    "),
  ]);
  const groups = [...new Set(results.map(({ group }) => group))];
  lines.push(
    "",
    ...groups.map((name) =>
      countLine(
        name,
        results.filter(({ group }) => group === name),
        seconds[name],
      ),
    ),
  );
  const passed = results.filter(({ ok, skipped }) => ok && !skipped).length;
  lines.push("", `${passed} passed, ${failed.length} failed`, "");
  process.stdout.write(lines.join("\n"));
  return failed.length === 0 && passed > 0 ? 0 : 1;
}

function countLine(group, checks, seconds) {
  const passed = checks.filter(({ ok, skipped }) => ok && !skipped).length;
  const skipped = checks.filter((check) => check.skipped).length;
  const failed = checks.length - passed - skipped;
  const rest = `${failed > 0 ? `, ${failed} failed` : ""}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  const time = seconds === undefined ? "" : ` in ${seconds.toFixed(0)} s`;
  return `${mark(failed === 0)} ${group.padEnd(10)} ${passed} passed${rest}${time}`;
}
