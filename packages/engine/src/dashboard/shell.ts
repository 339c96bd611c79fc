import type { Assets } from "./assets.ts";

/** Everything comes from this origin, nothing is inline, and no script can turn a string into HTML. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** Headers of every answer of the dashboard. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": POLICY,
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
};

/** The document of every page: the script reads the path and shows the page. */
export function shell(basePath: string, { script, style, icon }: Assets): string {
  const asset = (name: string): string => `${basePath}/assets/${name}`;
  return `<!doctype html>
<html lang="en" data-base="${basePath}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Perdure</title>
<link rel="icon" type="image/svg+xml" href="${asset(icon)}">
<link rel="stylesheet" href="${asset(style)}">
<script type="module" src="${asset(script)}"></script>
</head>
<body>
<div id="page"></div>
<noscript>The dashboard needs JavaScript. Every page of it is also a command: perdure --help lists them.</noscript>
</body>
</html>
`;
}
