import { computed, effect, signal } from "@preact/signals";
import { ApiError, loggedOut, send } from "./http.ts";
import type { Access } from "./types.ts";

/** Who uses the page: not known yet, nobody, or a token with its access. */
export const session = signal<Access | "unknown" | "none" | ApiError>("unknown");

/** True when the user's token may act, and not only read. */
export const canAct = computed(() => isAccess(session.value) && session.value.access === "full");

export function isAccess(value: typeof session.value): value is Access {
  return typeof value === "object" && !(value instanceof ApiError);
}

export async function openSession(): Promise<void> {
  try {
    session.value = (await (await send("/session", {})).json()) as Access;
  } catch (error) {
    session.value = error instanceof ApiError && error.status !== 401 ? error : "none";
  }
}

/** @throws ApiError for a token that isn't the engine's, or after too many of them */
export async function logIn(token: string, name: string): Promise<void> {
  session.value = (await (
    await send("/session", { method: "POST", body: { token, name } })
  ).json()) as Access;
}

export async function logOut(): Promise<void> {
  await send("/session", { method: "DELETE" });
  session.value = "none";
}

effect(() => {
  if (loggedOut.value > 0) session.value = "none";
});
