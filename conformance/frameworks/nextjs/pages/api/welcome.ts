import { serve } from "@perdure/adapters/nextjs-pages";
import { giveUp, welcome } from "../../welcome";

// The signature is over the raw bytes.
export const config = { api: { bodyParser: false } };

export default serve(welcome, { failureFunction: giveUp }).handler;
