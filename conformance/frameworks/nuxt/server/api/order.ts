import { serve } from "@perdure/adapters/h3";
import { fulfil, orderOptions } from "../workflows";

export default serve(fulfil, orderOptions).handler;
