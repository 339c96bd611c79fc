import { toBytes } from "../rules/bytes.ts";

/** A body as bytes. */
export interface Content {
  readonly bytes: Uint8Array;
  /** The media type of a body that is neither a string nor bytes. */
  readonly type: string | undefined;
}

/** A body: strings and bytes as they are, everything else as JSON. @throws TypeError for a value that JSON can't carry */
export function toContent(body: unknown): Content {
  if (body === undefined) return { bytes: new Uint8Array(), type: undefined };
  if (body instanceof Uint8Array) return { bytes: body, type: undefined };
  if (typeof body === "string") return { bytes: toBytes(body), type: undefined };
  const json: unknown = JSON.stringify(body);
  if (typeof json === "string") return { bytes: toBytes(json), type: "application/json" };
  throw new TypeError(`A body must be a value that JSON can carry; got a ${typeof body}.`);
}
