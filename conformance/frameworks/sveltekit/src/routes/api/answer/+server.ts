import { serve } from "@perdure/adapters/sveltekit";
import { answer, answerOptions } from "#lib/workflows.ts";

export const { POST } = serve(answer, answerOptions);
