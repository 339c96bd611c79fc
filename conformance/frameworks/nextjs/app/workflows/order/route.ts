import { serve } from "@perdure/adapters/nextjs";
import { fulfil, orderOptions } from "../../../workflows";

export const { POST } = serve(fulfil, orderOptions);
