/** The module `@opentelemetry/api`. */
export type Api = typeof import("@opentelemetry/api");

/** Loads `@opentelemetry/api`. @returns undefined when it isn't installed */
export async function loadApi(): Promise<Api | undefined> {
  try {
    return await import("@opentelemetry/api");
  } catch {
    // The peer dependency is optional.
    return undefined;
  }
}
