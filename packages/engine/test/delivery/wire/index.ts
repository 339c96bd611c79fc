import { answers } from "./answers.ts";
import { connections } from "./connections.ts";
import { encodings } from "./encodings.ts";
import { guarding } from "./guarding.ts";
import { lookups } from "./lookups.ts";
import { requests } from "./requests.ts";

/** All that deliveries ask of a transport, on real sockets. Every runtime passes it. */
export function wire(): void {
  requests();
  answers();
  encodings();
  connections();
  guarding();
  lookups();
}
