import { createWorkflow, serveMany } from "@perdure/adapters/nextjs";
import { many } from "../../../../workflows";

export const runtime = "edge";
export const { POST } = serveMany(many(createWorkflow));
