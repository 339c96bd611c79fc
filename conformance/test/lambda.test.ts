import { STAGE } from "../src/lambda-events.ts";
import { runtimes, startApp } from "../src/runtimes.ts";
import { conformance } from "../src/suite.ts";

const { node24 } = runtimes;

for (const [source, framework, prefix] of [
  ["rest-api", "AWS Lambda, API Gateway v1", `/${STAGE}/api`],
  ["http-api", "AWS Lambda, API Gateway v2", "/api"],
  ["function-url", "AWS Lambda, function URL", "/api"],
  ["load-balancer", "AWS Lambda, ALB", "/api"],
] as const) {
  const start = startApp("lambda", node24, { env: { CONFORMANCE_EVENTS: source }, prefix });
  conformance({ adapter: "aws-lambda", framework, runtime: node24.name }, start, { seenAsHttps: true });
}
