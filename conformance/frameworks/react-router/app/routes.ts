import { prefix, type RouteConfig, route } from "@react-router/dev/routes";

export default prefix("api", [
  route("order", "routes/order.ts"),
  route("answer", "routes/answer.ts"),
  route("many/*", "routes/many.ts"),
  route("echo", "routes/echo.ts"),
  route("welcome", "routes/welcome.ts"),
]) satisfies RouteConfig;
