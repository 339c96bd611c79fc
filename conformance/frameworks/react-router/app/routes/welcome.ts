import { serve } from "@perdure/adapters/react-router";
import { giveUp, welcome } from "../welcome";

export const action = serve(welcome, { failureFunction: giveUp });
