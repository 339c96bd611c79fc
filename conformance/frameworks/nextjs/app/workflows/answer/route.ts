import { serve } from "@perdure/adapters/nextjs";
import { answer, answerOptions } from "../../../workflows";

export const { POST } = serve(answer, answerOptions);
