import { toTanStackStart } from "@perdure/adapters/tanstack-start";
import { createFileRoute } from "@tanstack/react-router";
import { echo } from "../../workflows";

export const Route = createFileRoute("/api/echo")({
  server: { handlers: toTanStackStart(echo) },
});
