/**
 * Returns the URL of a request to the engine's API.
 *
 * @param path segments of the path, encoded
 * @param query A list is a parameter for each of its values, and a date milliseconds since 1970. Nothing is sent for an undefined value.
 * @example
 * ```ts
 * toApiUrl("http://127.0.0.1:8080", ["v2", "logs"], { count: 10 }).href; // "http://127.0.0.1:8080/v2/logs?count=10"
 * ```
 */
export function toApiUrl(
  origin: string,
  path: readonly string[],
  query: Readonly<Record<string, unknown>>,
): URL {
  const url = new URL([origin, ...path].join("/"));
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value ?? []].flat())
      url.searchParams.append(name, String(each instanceof Date ? Number(each) : each));
  }
  return url;
}
