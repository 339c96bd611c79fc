import { createServer } from "node:http";
import { serve } from "@perdure/adapters/node";

// The engine's address, the token and the signing keys come from the environment, as compose.yaml sets them.
const greet = serve<string, string>(
  async (context) => {
    const greeting = await context.run("greet", () => `Hello, ${context.requestPayload}!`);
    await context.sleep("a moment", 1);
    return context.run("shout", () => greeting.toUpperCase());
  },
  { failureFunction: ({ failResponse }) => console.error(`greet failed: ${failResponse}`) },
);

const server = createServer(greet);
server.listen(Number(process.env.PORT ?? 3000), () => console.log("endpoint running"));
process.once("SIGTERM", () => server.close(() => process.exit(0)));
