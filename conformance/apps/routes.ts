/** A router for servers that have none: exact paths, and whatever is below one that ends with a slash. */
export function routeOf<Route>(
  routes: Readonly<Record<string, Route>>,
  path: string | undefined,
): Route | undefined {
  const [pathname = ""] = (path ?? "").split("?");
  const found = Object.entries(routes).find(([key]) =>
    key.endsWith("/") ? pathname.startsWith(key) : pathname === key,
  );
  return found?.[1];
}
