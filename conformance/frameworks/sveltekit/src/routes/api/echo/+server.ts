import { toSvelteKit } from "@perdure/adapters/sveltekit";
import { echo } from "$lib/workflows";

export const { POST } = toSvelteKit(echo);
