import { serve } from "@perdure/adapters/tanstack-start";
import { createFileRoute } from "@tanstack/react-router";
import { fulfil, orderOptions } from "../../workflows";

export const Route = createFileRoute("/api/order")({
  server: { handlers: serve(fulfil, orderOptions) },
});
