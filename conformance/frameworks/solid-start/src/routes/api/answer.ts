import { serve } from "@perdure/adapters/solid-start";
import { answer, answerOptions } from "~/workflows";

export const { POST } = serve(answer, answerOptions);
