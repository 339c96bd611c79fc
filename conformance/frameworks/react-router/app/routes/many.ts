import { createWorkflow, serveMany } from "@perdure/adapters/react-router";
import { many } from "../workflows";

export const action = serveMany(many(createWorkflow));
