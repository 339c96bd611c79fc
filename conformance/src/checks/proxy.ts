import { expect, it } from "vitest";
import { deliver, type Scene } from "../scene.ts";

const FORWARDED = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example.com" };

/** Under which URL the engine is to call the endpoint: a proxy's word counts only where it is said to. */
export function proxy(scene: () => Scene): void {
  const destination = () => scene().stand.published[0]?.destination;

  it("takes nobody's word for the host", async () => {
    const answer = await deliver(scene(), "/order", { body: "{}", headers: FORWARDED });
    expect(answer.status).toBe(200);
    expect(destination()).toBe(`${scene().url}/order`);
  });

  it("takes a proxy's word with `trustProxy`, and a signature for that URL alone", async () => {
    const { pathname } = new URL(`${scene().url}/many/double`);
    const subject = `https://shop.example.com${pathname}`;
    const send = (token: { subject?: string }) =>
      deliver(scene(), "/many/double", { body: "1", headers: FORWARDED, token });
    // A URL that is configured goes before.
    const { seenAsHttps: isConfigured = false } = scene().traits;
    expect((await send(isConfigured ? { subject } : {})).status).toBe(401);
    expect(scene().stand.sent).toEqual([]);
    expect((await send(isConfigured ? {} : { subject })).status).toBe(200);
    expect(destination()).toBe(isConfigured ? `${scene().url}/many/double` : subject);
  });
}
