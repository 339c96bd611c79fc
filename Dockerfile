# Two images: `engine` runs perdure, and `endpoint` is the example of compose.yaml. See docs/deploy/docker.md.

FROM node:24-slim AS build
WORKDIR /src
COPY . .
RUN npm install --global pnpm@12.21.0 \
  && pnpm install --frozen-lockfile --filter perdure --filter "@perdure/engine..." --filter "@perdure/dashboard..." \
  && pnpm --filter @perdure/dashboard run build \
  && pnpm --filter @perdure/core --filter @perdure/engine run build \
  && pnpm --dir packages/core pack --pack-destination /packed \
  && pnpm --dir packages/engine pack --pack-destination /packed

FROM node:24-slim AS endpoint
WORKDIR /src
COPY . .
RUN npm install --global pnpm@12.21.0 \
  && pnpm install --frozen-lockfile --prod --filter-prod "@perdure/example-docker..." \
  && rm -rf ~/.npm ~/.cache ~/.local
USER node
ENV PORT=3000
EXPOSE 3000
CMD ["node", "examples/docker/src/endpoint.ts"]

FROM node:24-slim AS engine
WORKDIR /engine
COPY --from=build /packed /packed
RUN npm install --omit=dev --no-audit --no-fund /packed/*.tgz \
  && rm -r /packed \
  && mkdir /data && chown node:node /data
USER node
ENV PERDURE_HOST=0.0.0.0 PERDURE_PORT=8080 PERDURE_DB=/data/perdure.db
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1, so that it gets SIGTERM, and drains.
ENTRYPOINT ["node", "/engine/node_modules/@perdure/engine/dist/cli.js"]
CMD ["start"]
