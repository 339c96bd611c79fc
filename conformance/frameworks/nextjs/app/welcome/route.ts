import { serve } from "@perdure/adapters/nextjs";
import { giveUp, welcome } from "../../welcome";

export const { POST } = serve(welcome, { failureFunction: giveUp });
