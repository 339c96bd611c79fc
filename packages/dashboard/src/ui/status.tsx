import type { ReportState, RunState, StepState } from "../api/types.ts";
import { Icon, type IconName } from "./icon.tsx";

export type Tone = "good" | "bad" | "busy" | "warn" | "quiet" | "undo";

interface Look {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly word: string;
}

export const RUN_LOOKS: Readonly<Record<RunState, Look>> = {
  RUN_STARTED: { tone: "busy", icon: "play", word: "Running" },
  RUN_SUCCESS: { tone: "good", icon: "check", word: "Succeeded" },
  RUN_FAILED: { tone: "bad", icon: "cross", word: "Failed" },
  RUN_CANCELED: { tone: "quiet", icon: "stop", word: "Cancelled" },
};

export const STEP_LOOKS: Readonly<Record<StepState, Look>> = {
  STEP_PROGRESS: { tone: "busy", icon: "play", word: "Under way" },
  STEP_SUCCESS: { tone: "good", icon: "check", word: "Done" },
  STEP_RETRY: { tone: "warn", icon: "retry", word: "Retrying" },
  STEP_FAILED: { tone: "bad", icon: "cross", word: "Failed" },
  STEP_CANCELED: { tone: "quiet", icon: "stop", word: "Cancelled" },
};

export const REPORT_LOOKS: Readonly<Record<ReportState, Look>> = {
  CALLBACK_INPROGRESS: { tone: "busy", icon: "retry", word: "Under way" },
  CALLBACK_SUCCESS: { tone: "good", icon: "check", word: "Returned" },
  CALLBACK_FAIL: { tone: "bad", icon: "cross", word: "Failed" },
  CALLBACK_CANCELED: { tone: "quiet", icon: "stop", word: "Cancelled" },
};

/** A state by colour, icon and word. */
export function Status({
  look: { tone, icon, word },
  big = false,
}: {
  readonly look: Look;
  readonly big?: boolean;
}) {
  return (
    <span class={`status tone-${tone} ${big ? "is-big" : ""}`}>
      <Icon name={icon} size={big ? 16 : 13} />
      {word}
    </span>
  );
}
