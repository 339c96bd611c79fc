import { toH3 } from "@perdure/adapters/h3";
import { echo } from "../workflows";

export default toH3(echo).handler;
