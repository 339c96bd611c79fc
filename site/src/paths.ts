import { fileURLToPath } from "node:url";

/** The checkout. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));
/** The generated Markdown that VitePress reads. */
export const PAGES: string = fileURLToPath(new URL("../.pages", import.meta.url));
/** The built site. */
export const DIST: string = fileURLToPath(new URL("../dist", import.meta.url));

/** Where files that aren't pages can be read. */
export const REPOSITORY = "https://github.com/perdure/perdure/blob/main";
