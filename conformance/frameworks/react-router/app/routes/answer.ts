import { serve } from "@perdure/adapters/react-router";
import { answer, answerOptions } from "../workflows";

export const action = serve(answer, answerOptions);
