import { expect, vi } from "vitest";

/** Why a request is refused with 401: the caller isn't told, and whoever runs the server is. */
export async function reasonOf(ask: () => Response | Promise<Response>): Promise<string> {
  const told = vi.spyOn(console, "warn").mockImplementation(() => {});
  try {
    expect((await ask()).status).toBe(401);
    return told.mock.calls.flat().join(" ");
  } finally {
    told.mockRestore();
  }
}
