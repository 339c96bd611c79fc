import { render } from "preact";
import { App } from "./app.tsx";
import { listenToKeys } from "./keys.ts";

const page = document.querySelector("#page");
if (page) render(<App />, page);
listenToKeys();
