import type { Answers, Output } from "../http/route.ts";

/** The output of a route. */
export type Answer<Of> = Of extends { readonly answers: infer A extends Answers }
  ? Output<A[keyof A & number]>
  : never;
