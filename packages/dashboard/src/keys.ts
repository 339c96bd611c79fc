/** Keys that work on every page: `/` leads to the search. */
export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    const { target } = event;
    const isTyping = target instanceof HTMLElement && target.matches("input, textarea, select");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const search = document.querySelector<HTMLInputElement>("input[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
}
