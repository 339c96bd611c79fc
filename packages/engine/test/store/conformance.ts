import type { Store } from "../../src/commands/store.ts";
import { accepting } from "./accepting.ts";
import { calling } from "./calling.ts";
import { claims } from "./claims.ts";
import { destinations } from "./destinations.ts";
import { ending } from "./ending.ts";
import { endingTogether } from "./ending-together.ts";
import { flowing } from "./flowing.ts";
import { inlining } from "./inlining.ts";
import { inspecting } from "./inspecting.ts";
import { invoking } from "./invoking.ts";
import { limiting } from "./limiting.ts";
import { logging } from "./logging.ts";
import { publishing } from "./publishing.ts";
import { queueing } from "./queueing.ts";
import { reviving } from "./reviving.ts";
import { rollingBack } from "./rolling-back.ts";
import { scheduling } from "./scheduling.ts";
import { searching } from "./searching.ts";
import { settling } from "./settling.ts";
import { sweeping } from "./sweeping.ts";
import { waiting } from "./waiting.ts";

/** What every store must do. An implementation's test is one call. */
export function conformance(name: string, open: () => Promise<Store>): void {
  claims(name, open);
  accepting(name, open);
  settling(name, open);
  calling(name, open);
  waiting(name, open);
  ending(name, open);
  endingTogether(name, open);
  invoking(name, open);
  inlining(name, open);
  flowing(name, open);
  limiting(name, open);
  queueing(name, open);
  scheduling(name, open);
  reviving(name, open);
  rollingBack(name, open);
  destinations(name, open);
  publishing(name, open);
  logging(name, open);
  inspecting(name, open);
  searching(name, open);
  sweeping(name, open);
}
