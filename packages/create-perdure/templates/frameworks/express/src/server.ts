import { toExpress } from "@perdure/adapters/express";
import express from "express";
import { __name__ } from "./__name__.ts";

const app = express();
// Before express.json(): the signature is over the bytes of the body.
app.use("/__name__", toExpress(__name__.handler));
app.get("/", (_request, response) => {
  response.type("text").send("Start a run: npm run trigger\n");
});

const port = Number(process.env.PORT ?? 3000);
app.listen(port, () => console.log(`App: http://localhost:${port}`));
