// What a person and a machine read of `npm test`.
const paint = (code, text) => (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text);
const mark = (ok) => (ok ? paint(32, "✓") : paint(31, "✗"));

/** One line a check, as it ends; a test runner that shows its own is `quiet`. */
export function progress({ group, name, ok, quiet }) {
  if (!quiet) process.stdout.write(`${mark(ok)} ${group}: ${name}\n`);
}

/** Prints what failed and why, the counts of each group, and the closing line. @returns the exit code */
export function summary(results) {
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
      ),
    ),
  );
  const passed = results.filter(({ ok, skipped }) => ok && !skipped).length;
  lines.push("", `${passed} passed, ${failed.length} failed`, "");
  process.stdout.write(lines.join("\n"));
  return failed.length === 0 && passed > 0 ? 0 : 1;
}

function countLine(group, checks) {
  const passed = checks.filter(({ ok, skipped }) => ok && !skipped).length;
  const skipped = checks.filter((check) => check.skipped).length;
  const failed = checks.length - passed - skipped;
  const rest = `${failed > 0 ? `, ${failed} failed` : ""}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  return `${mark(failed === 0)} ${group.padEnd(9)} ${passed} passed${rest}`;
}
