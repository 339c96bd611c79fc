import { createFileRoute } from "@tanstack/react-router";

export const Route = createFileRoute("/hello")({
  server: { handlers: { POST: async ({ request }) => new Response(await request.text()) } },
});
