import { render } from "preact";
import { App } from "./app.tsx";
import { listenToKeys } from "./keys.ts";
import { keepFocus } from "./ui/focus.ts";

const page = document.querySelector("#page");
if (page) render(<App />, page);
listenToKeys();
keepFocus();
