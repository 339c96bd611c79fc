import { serve } from "@perdure/adapters/sveltekit";
import { answer, answerOptions } from "$lib/workflows";

export const { POST } = serve(answer, answerOptions);
