import { toReactRouter } from "@perdure/adapters/react-router";
import { echo } from "../workflows";

export const action = toReactRouter(echo);
