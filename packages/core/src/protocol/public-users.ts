import { DEV_CREDENTIALS, publicToken } from "./token.ts";

/** The publicly known users of this protocol's development servers; the first is that of {@link DEV_CREDENTIALS}. */
export const PUBLIC_USERS: readonly {
  readonly token: string;
  readonly signingKeys: { readonly current: string; readonly next: string };
}[] = [
  publicUser(DEV_CREDENTIALS.token, DEV_CREDENTIALS.currentSigningKey, DEV_CREDENTIALS.nextSigningKey),
  testUser(1, "7GVPjvuwsfqF65iC8fSrs1dfYruM", "5NoELc3EFnZn4DVS5bDs2Nk4b7Ua"),
  testUser(2, "6jWGaWRxHsw4vMSPJprXadyvrybF", "7qHbvhmahe5GwfePDiS5Lg3pi6Qx"),
  testUser(3, "5T8FcSsynBjn9mMLBsXhpacRovJf", "7GFR4YaDshFcqsxWRZpRB161jguD"),
];

function testUser(number: number, current: string, next: string): (typeof PUBLIC_USERS)[number] {
  return publicUser(publicToken(`testUser${number}`, "testPassword"), `sig_${current}`, `sig_${next}`);
}

function publicUser(token: string, current: string, next: string): (typeof PUBLIC_USERS)[number] {
  return { token, signingKeys: { current, next } };
}
