import { serve } from "@perdure/adapters/tanstack-start";
import { createFileRoute } from "@tanstack/react-router";
import { giveUp, welcome } from "../../welcome";

export const Route = createFileRoute("/api/welcome")({
  server: { handlers: serve(welcome, { failureFunction: giveUp }) },
});
