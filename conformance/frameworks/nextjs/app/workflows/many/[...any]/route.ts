import { createWorkflow, serveMany } from "@perdure/adapters/nextjs";
import { many } from "../../../../workflows";

export const { POST } = serveMany(many(createWorkflow));
