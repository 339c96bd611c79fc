import { serve } from "@perdure/adapters/h3";
import { answer, answerOptions } from "../workflows";

export default serve(answer, answerOptions).handler;
