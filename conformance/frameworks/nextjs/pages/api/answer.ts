import { serve } from "@perdure/adapters/nextjs-pages";
import { answer, answerOptions } from "../../workflows";

export const config = { api: { bodyParser: false } };
export default serve(answer, answerOptions).handler;
