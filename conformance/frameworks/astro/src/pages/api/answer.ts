import { serve } from "@perdure/adapters/astro";
import { answer, answerOptions } from "../../workflows";

export const { POST } = serve(answer, answerOptions);
