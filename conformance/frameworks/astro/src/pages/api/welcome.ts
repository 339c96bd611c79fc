import { serve } from "@perdure/adapters/astro";
import { giveUp, welcome } from "../../welcome";

export const { POST } = serve(welcome, { failureFunction: giveUp });
