import { newSigningKey, newToken } from "../delivery/keys.ts";

/** `perdure keys new`: a token and a pair of keys that nobody else has, as the environment of an engine and its apps. */
export function newKeys({ user }: { readonly user: string }): void {
  console.log(
    [
      `QSTASH_TOKEN=${newToken(user)}`,
      `QSTASH_CURRENT_SIGNING_KEY=${newSigningKey()}`,
      `QSTASH_NEXT_SIGNING_KEY=${newSigningKey()}`,
    ].join("\n"),
  );
}
