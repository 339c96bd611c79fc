import { toSvelteKit } from "@perdure/adapters/sveltekit";
import { echo } from "#lib/workflows.ts";

export const { POST } = toSvelteKit(echo);
