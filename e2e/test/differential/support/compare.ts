import { isDeepStrictEqual } from "node:util";
import type { Json } from "./normalise.ts";

/** A place where the two traces aren't the same. `undefined` where one of them has nothing there. */
export interface Difference {
  readonly at: string;
  readonly upstream: Json | undefined;
  readonly ours: Json | undefined;
}

/** Lists that say something only as a whole. */
const WHOLE = /^noted$/;

/** Everything that differs, as deep in the traces as it can be named. */
export function compare(upstream: Json, ours: Json, at = ""): Difference[] {
  const [left, right] = [fieldsOf(upstream), fieldsOf(ours)];
  if (!left || !right || WHOLE.test(at) || Array.isArray(upstream) !== Array.isArray(ours))
    return isDeepStrictEqual(upstream, ours) ? [] : [{ at, upstream, ours }];
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].flatMap((name): Difference[] => {
    const place = at ? `${at}/${name}` : name;
    const [one, other] = [left[name], right[name]];
    if (one === undefined || other === undefined) return [{ at: place, upstream: one, ours: other }];
    return compare(one, other, place);
  });
}

function fieldsOf(value: Json): Readonly<Record<string, Json>> | undefined {
  return typeof value === "object" && value !== null ? (value as Record<string, Json>) : undefined;
}
