import { serve } from "@perdure/adapters/nextjs-pages";
import { fulfil, orderOptions } from "../../workflows";

export const config = { api: { bodyParser: false } };
export default serve(fulfil, orderOptions).handler;
