import type { Handler } from "hono";
import type { Env, Service } from "./service.ts";

/** `GET /v2/keys`: with what receivers check signatures. Development clients tell by it whose engine this is. */
export function getKeys({ keys }: Service): Handler<Env> {
  return async (c) => c.json(await keys.current());
}

/** `POST /v2/keys/rotate`: the next key becomes the current one. Receivers need the new pair before it is done again. */
export function rotateKeys({ keys }: Service): Handler<Env> {
  return async (c) => c.json(await keys.rotate());
}
