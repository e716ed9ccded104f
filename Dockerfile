# The controller. Build: docker build -t rtmanager .
# Any image with Node 24 and npm will do as the base.
ARG NODE_IMAGE=node:24-alpine

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
ENV NODE_ENV=production RTM_HTTP_ADDR=0.0.0.0:8096
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY migrations migrations
COPY controllers controllers
COPY src src
# The Docker socket belongs to a group whose number differs from host to host: give it with `--group-add` (compose.yaml shows
# how), and the controller needs no root.
USER 65532:65532
EXPOSE 8096
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.RTM_HTTP_ADDR || ':8096').split(':').at(-1) + '/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# An argument list, so that SIGTERM reaches the controller itself. `docker run rtmanager migrate` only migrates.
ENTRYPOINT ["node", "--max-semi-space-size=4", "--v8-pool-size=1", "src/main.ts"]
