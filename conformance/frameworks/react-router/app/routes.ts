import { type RouteConfig, route } from "@react-router/dev/routes";

export default [route("hello", "routes/hello.ts")] satisfies RouteConfig;
