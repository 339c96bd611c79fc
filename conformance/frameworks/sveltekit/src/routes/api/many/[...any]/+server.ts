import { createWorkflow, serveMany } from "@perdure/adapters/sveltekit";
import { many } from "#lib/workflows.ts";

export const { POST } = serveMany(many(createWorkflow));
