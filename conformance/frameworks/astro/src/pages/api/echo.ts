import { toAstro } from "@perdure/adapters/astro";
import { echo } from "../../workflows";

export const { POST } = toAstro(echo);
