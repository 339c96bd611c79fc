import * as names from "./header-names.ts";
import * as prefixes from "./header-prefixes.ts";

type LowercaseValues<Names> = { readonly [Name in keyof Names]: Lowercase<Names[Name] & string> };

/** The header names in lower case, as `Headers`, Node and HTTP/2 have them. */
export const LOWERCASE_HEADER: LowercaseValues<typeof names> = toLowerCase(names);

/** The prefixes of header names in lower case. */
export const LOWERCASE_PREFIX: LowercaseValues<typeof prefixes> = toLowerCase(prefixes);

function toLowerCase<Names extends object>(of: Names): LowercaseValues<Names> {
  const entries = Object.entries(of).map(([key, name]) => [key, String(name).toLowerCase()]);
  return Object.fromEntries(entries) as LowercaseValues<Names>;
}
