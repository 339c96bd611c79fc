/**
 * Moves the focus to the page's content whenever the element that has it is removed: a link with its page, a button with
 * its row. Otherwise a user of the keyboard begins at the top of the document again.
 */
export function keepFocus(): void {
  let focused: EventTarget | null = null;
  document.addEventListener("focusin", ({ target }) => {
    focused = target;
  });
  const restore = (): void => {
    if (!(focused instanceof Element) || focused.isConnected || document.activeElement !== document.body)
      return;
    focused = null;
    document.getElementById("main")?.focus({ preventScroll: true });
  };
  new MutationObserver(restore).observe(document.body, { childList: true, subtree: true });
}
