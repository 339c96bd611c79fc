import { serve } from "@perdure/adapters/h3";
import { giveUp, welcome } from "../welcome";

export default serve(welcome, { failureFunction: giveUp }).handler;
