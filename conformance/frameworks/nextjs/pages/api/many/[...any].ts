import { createWorkflow, serveMany } from "@perdure/adapters/nextjs-pages";
import { many } from "../../../workflows";

export const config = { api: { bodyParser: false } };
export default serveMany(many(createWorkflow)).handler;
