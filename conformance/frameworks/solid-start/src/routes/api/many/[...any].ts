import { createWorkflow, serveMany } from "@perdure/adapters/solid-start";
import { many } from "~/workflows";

export const { POST } = serveMany(many(createWorkflow));
