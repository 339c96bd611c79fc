import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { ask, deliver, type Scene } from "../scene.ts";

/** A parser that reads this and writes it again has changed it. */
const QUAINT = '{ "a":1.0, "é":"\\u00e9" }';
const MIB = 1024 * 1024;

const bodies: readonly (readonly [type: string, body: string | Uint8Array])[] = [
  ["application/json", QUAINT],
  ["application/json", ""],
  ["application/json", "{ not JSON"],
  ["application/x-www-form-urlencoded", "b=%20+&a=1&b"],
  ["text/plain", "é\r\n"],
  [
    "multipart/form-data; boundary=x",
    '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n',
  ],
  ["application/octet-stream", Uint8Array.from({ length: 256 }, (_, at) => at)],
  ["application/xml", "<a/>"],
];

/** What arrives is what was sent: the signature is over the bytes and the URL. */
export function bytes(scene: () => Scene): void {
  it.each(bodies)("hands over %s: %j, byte for byte", async (type, body) => {
    const answer = await ask(`${scene().url}/echo`, { headers: { "Content-Type": type }, body });
    expect(answer.status).toBe(201);
    expect(Buffer.from(answer.bytes)).toEqual(Buffer.from(body));
  });

  it("hands over a body without a type", async () => {
    expect((await ask(`${scene().url}/echo`, { body: QUAINT })).text).toBe(QUAINT);
  });

  it.each([false, true])("hands over 1 MiB, without its length: %s", async (chunked) => {
    const body = randomBytes(MIB);
    const headers = { "Content-Type": "application/octet-stream" };
    const answer = await ask(`${scene().url}/echo`, { headers, body, chunked });
    expect(answer.bytes.length).toBe(MIB);
    expect(body.equals(answer.bytes)).toBe(true);
  });

  it("hands over method, URL and headers, and the answer's own", async () => {
    const url = `${scene().url}/echo?a=%20b%2Fc&d=%C3%A9&e=`;
    const answer = await ask(url, { headers: { "X-Sent": "a, b" }, body: "x" });
    const seen = seenBy(scene(), url);
    expect(answer.headers.get("X-Url")).toBe(
      scene().traits.seenAsHttps ? seen.replace("http:", "https:") : seen,
    );
    expect(answer.headers.get("X-Method")).toBe("POST");
    expect(answer.headers.get("X-Sent")).toBe("a, b");
    expect(answer.headers.get("Content-Type")).toBe("application/octet-stream");
  });

  it.each([
    ["odd bytes", QUAINT],
    ["1 MiB", `"${"é".repeat((MIB - 2) / 2)}"`],
  ])("takes a signature over %s, and stores them as they are", async (_what, body) => {
    const answer = await deliver(scene(), "/order", { body });
    expect(answer.status).toBe(200);
    expect(scene().stand.published[0]?.body === body).toBe(true);
  });

  it("takes a signature for a URL with a query", async () => {
    const path = "/order?a=%20b%2Fc&d=%C3%A9";
    expect((await deliver(scene(), path, { body: QUAINT })).status).toBe(200);
    expect(scene().stand.published[0]?.destination).toBe(scene().url + path);
  });
}

/** A URL as the app sees it, its scheme aside. */
function seenBy({ traits }: Scene, url: string): string {
  return traits.writesQueryAnew ? url.replaceAll("%20", "+") : url;
}
