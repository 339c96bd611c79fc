import { newSigningKey, newToken } from "../delivery/keys.ts";

/**
 * Runs `perdure keys new`: prints a random token and key pair, as environment variables for an engine and its
 * apps.
 */
export function newKeys({ user }: { readonly user: string }): void {
  console.log(
    [
      `PERDURE_TOKEN=${newToken(user)}`,
      `PERDURE_CURRENT_SIGNING_KEY=${newSigningKey()}`,
      `PERDURE_NEXT_SIGNING_KEY=${newSigningKey()}`,
    ].join("\n"),
  );
}
