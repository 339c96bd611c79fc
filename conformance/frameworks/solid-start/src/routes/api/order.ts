import { serve } from "@perdure/adapters/solid-start";
import { fulfil, orderOptions } from "~/workflows";

export const { POST } = serve(fulfil, orderOptions);
