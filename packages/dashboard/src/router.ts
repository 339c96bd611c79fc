import { computed, signal } from "@preact/signals";
import { BASE } from "./base.ts";

const href = signal(location.pathname + location.search);

addEventListener("popstate", () => {
  href.value = location.pathname + location.search;
});

/** The path below the base path, always with a slash in front. */
export const path = computed(() => {
  const [pathname = ""] = href.value.split("?");
  return pathname.slice(BASE.length).replace(/\/+$/, "") || "/";
});

/** The query of the address: the filters of lists live there, so that going back keeps them. */
export const query = computed(() => new URLSearchParams(href.value.split("?")[1] ?? ""));

/** Goes to a page. @param to the path below the base path, with its query */
export function navigate(to: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  const target = BASE + to;
  if (target === href.value) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  href.value = target;
  if (!replace) scrollTo(0, 0);
}

/** Replaces parameters of the query; `undefined` and an empty list remove one. */
export function setQuery(changes: Readonly<Record<string, string | readonly string[] | undefined>>): void {
  const next = new URLSearchParams(query.value);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of value === undefined ? [] : [value].flat()) if (one !== "") next.append(name, one);
  }
  const search = next.toString();
  navigate(path.value + (search === "" ? "" : `?${search}`));
}

/** Returns the address of a page for a link. */
export function hrefOf(to: string): string {
  return BASE + to;
}

/** Returns the path of a run's page. `createdAt` tells runs with one id apart. */
export function runPath(id: string, createdAt?: number): string {
  return `/runs/${encodeURIComponent(id)}${createdAt === undefined ? "" : `?at=${createdAt}`}`;
}
