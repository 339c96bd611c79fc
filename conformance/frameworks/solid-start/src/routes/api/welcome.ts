import { serve } from "@perdure/adapters/solid-start";
import { giveUp, welcome } from "~/welcome";

export const { POST } = serve(welcome, { failureFunction: giveUp });
