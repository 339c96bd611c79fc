import { serve } from "@perdure/adapters/nextjs";
import { answer, answerOptions } from "../../../workflows";

export const runtime = "edge";
export const { POST } = serve(answer, answerOptions);
