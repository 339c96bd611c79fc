import { toNextPages } from "@perdure/adapters/nextjs-pages";
import { echo } from "../../workflows";

export const config = { api: { bodyParser: false } };
export default toNextPages(echo).handler;
