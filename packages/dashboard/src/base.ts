/** The path below which the page is mounted; the server writes it into the document. */
export const BASE = document.documentElement.dataset.base ?? "";
