import { toSolidStart } from "@perdure/adapters/solid-start";
import { echo } from "~/workflows";

export const { POST } = toSolidStart(echo);
