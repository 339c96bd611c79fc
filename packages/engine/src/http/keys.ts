import type { Handler } from "hono";
import type { Env, Service } from "./service.ts";

/** `GET /v2/keys`: with what receivers check signatures. Development clients tell by it whose engine this is. */
export function getKeys({ keys }: Service): Handler<Env> {
  return (c) => c.json({ current: keys.current, next: keys.next });
}
