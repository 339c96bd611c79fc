import { createWorkflow, serveMany } from "@perdure/adapters/h3";
import { many } from "../../workflows";

export default serveMany(many(createWorkflow)).handler;
