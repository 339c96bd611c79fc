import { serve } from "@perdure/adapters/sveltekit";
import { giveUp, welcome } from "#lib/welcome.ts";

export const { POST } = serve(welcome, { failureFunction: giveUp });
