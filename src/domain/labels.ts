/** Labels by which containers steer other programs: whoever may set one on a container makes that program do things. */

/** Our own namespace: these say what is ours, and nobody else may set one. */
const ownLabel = /^com\.galaxy(?:\.|$)/i

/**
 * What is known to act on the labels of containers that it did not make: proxies, schedulers, updaters, backups, monitors, and
 * the engine's own tools. Each stands for itself and everything under it.
 */
export const steeringLabels: ReadonlyArray<string> = [
  // Docker and other engines' tools: Compose removes what it takes for its orphans.
  "com.docker", "io.docker", "org.dockerproject", "io.podman", "io.kubernetes", "io.rancher", "io.balena", "com.amazonaws.ecs", "io.portainer",
  // Proxies, tunnels and names.
  "traefik", "caddy", "swag", "com.github.nginx-proxy", "com.github.jrcs.letsencrypt_nginx_proxy_companion", "easyhaproxy", "sablier",
  "tsdproxy", "dockflare", "cloudflare", "external-dns", "socket-proxy",
  // What runs commands, restarts or replaces.
  "ofelia", "chadburn", "docker-volume-backup", "com.centurylinklabs", "autoheal", "deunhealth", "diun", "wud", "shepherd", "lazytainer", "doco-cd",
  // What collects and shows: it may be made to dial addresses or to run what a label says.
  "co.elastic", "com.datadoghq", "prometheus.io", "kuma", "homepage", "glance", "dozzle"
]

/** `traefik` has `traefik`, `traefik.enable`, `traefik_0`, whatever their capitals: programs differ in which they heed. */
const isUnder = (label: string, prefix: string): boolean => {
  const [name, start] = [label.toLowerCase(), prefix.toLowerCase().replace(/[._/-]+$/, "")]
  return name.startsWith(start) && (name.length === start.length || /^[._/-]/.test(name.slice(start.length)))
}

export const isOwnLabel = (label: string): boolean => ownLabel.test(label)

/** Whether `label` steers another program, which `allowed` (prefixes like those above) does not let games do. */
export const steers = (label: string, allowed: ReadonlyArray<string>): boolean =>
  steeringLabels.some((prefix) => isUnder(label, prefix)) && !allowed.some((prefix) => isUnder(label, prefix))
