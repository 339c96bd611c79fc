import { serve } from "@perdure/adapters/sveltekit";
import { fulfil, orderOptions } from "#lib/workflows.ts";

export const { POST } = serve(fulfil, orderOptions);
