import { serve } from "@perdure/adapters/tanstack-start";
import { createFileRoute } from "@tanstack/react-router";
import { answer, answerOptions } from "../../workflows";

export const Route = createFileRoute("/api/answer")({
  server: { handlers: serve(answer, answerOptions) },
});
