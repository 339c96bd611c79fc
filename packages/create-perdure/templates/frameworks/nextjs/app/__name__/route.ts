import { toNext } from "@perdure/adapters/nextjs";
import { __name__ } from "../../src/__name__";

export const { POST } = toNext(__name__.handler);
