import { serve } from "@perdure/adapters/react-router";
import { fulfil, orderOptions } from "../workflows";

export const action = serve(fulfil, orderOptions);
