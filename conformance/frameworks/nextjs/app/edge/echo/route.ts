import { toNext } from "@perdure/adapters/nextjs";
import { echo } from "../../../workflows";

export const runtime = "edge";
export const { POST } = toNext(echo);
