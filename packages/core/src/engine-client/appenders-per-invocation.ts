// Cloudflare Workers bind a promise to the request whose I/O settles it: no other request can await it.

/** One for each invocation. */
export function appenders<Append>(create: () => Append): () => Append {
  return create;
}
