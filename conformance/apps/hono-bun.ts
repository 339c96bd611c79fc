import app from "./hono.ts";

declare const Bun: { serve(options: object): { readonly port: number } };

const { port } = Bun.serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 });
console.log(`listening on port ${port}`);
