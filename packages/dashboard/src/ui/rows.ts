/** Moves the focus among the rows of a list by the arrow keys, Home and End. Rows have the attribute `data-row`. */
export function moveAmongRows(event: KeyboardEvent): void {
  const list = event.currentTarget;
  if (!(list instanceof Element) || event.target instanceof HTMLInputElement) return;
  const rows = [...list.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  const next = to === undefined ? undefined : rows[Math.max(0, Math.min(rows.length - 1, to))];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
