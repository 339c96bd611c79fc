import { serve } from "@perdure/adapters/nextjs";
import { fulfil, orderOptions } from "../../../workflows";

export const runtime = "edge";
export const { POST } = serve(fulfil, orderOptions);
