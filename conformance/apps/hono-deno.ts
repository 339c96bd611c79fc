import app from "./hono.ts";

declare const Deno: {
  serve(options: object, handler: (request: Request) => Response | Promise<Response>): unknown;
};

const onListen = ({ port }: { port: number }) => console.log(`listening on port ${port}`);
Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, app.fetch);
