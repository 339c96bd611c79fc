import { serve } from "@perdure/adapters/astro";
import { fulfil, orderOptions } from "../../workflows";

export const { POST } = serve(fulfil, orderOptions);
