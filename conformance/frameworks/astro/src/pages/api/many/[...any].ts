import { createWorkflow, serveMany } from "@perdure/adapters/astro";
import { many } from "../../../workflows";

export const { POST } = serveMany(many(createWorkflow));
