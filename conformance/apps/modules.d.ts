/** What is used of version 4 has the types of version 5. */
declare module "express4" {
  export { default } from "express";
}
