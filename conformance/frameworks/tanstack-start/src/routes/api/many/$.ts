import { createWorkflow, serveMany } from "@perdure/adapters/tanstack-start";
import { createFileRoute } from "@tanstack/react-router";
import { many } from "../../../workflows";

export const Route = createFileRoute("/api/many/$")({
  server: { handlers: serveMany(many(createWorkflow)) },
});
