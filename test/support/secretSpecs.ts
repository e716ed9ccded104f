/** Specs with a secret in every place, in forms that can be carried out and in forms that cannot. */
export const secret = "hunter2-Sw0rdfish"

export const specsWithASecret: ReadonlyArray<readonly [where: string, spec: unknown]> = [
  ["env, valid", { env: { TOKEN: secret } }],
  ["command and args, valid", { command: ["/bin/sh", secret], args: [secret] }],
  ["labels, valid", { labels: { team: secret } }],
  ["the whole", secret],
  ["a list", [secret]],
  ["beside an unknown key", { env: { TOKEN: secret }, privileged: true }],
  ["an unknown key's value", { password: secret }],
  ["command that is no list", { command: secret }],
  ["args that is no list", { args: secret }],
  ["an argument with a NUL", { args: [`${secret}\0`] }],
  ["an argument that is a list", { args: [[secret]] }],
  ["env that is text", { env: secret }],
  ["env that is a list", { env: [`TOKEN=${secret}`] }],
  ["an env name with its value", { env: { [`TOKEN=${secret}`]: "" } }],
  ["an env value that is an object", { env: { TOKEN: { value: secret } } }],
  ["an env value with a NUL", { env: { TOKEN: `${secret}\0` } }],
  ["an env value that is too long", { env: { TOKEN: secret.padEnd(131_073, "x") } }],
  ["resources", { resources: secret }],
  ["cpus", { resources: { cpus: secret } }],
  ["memory", { resources: { memory: secret } }],
  ["pids", { resources: { pids: secret } }],
  ["a label of ours", { labels: { "com.galaxy.owner": secret } }],
  ["a label that is a list", { labels: { team: [secret] } }],
  ["stop_signal", { stop_signal: secret }],
  ["stop_grace", { stop_grace: secret }],
  ["pull_policy", { pull_policy: secret }],
  ["too many arguments", { args: Array.from({ length: 1025 }, () => secret) }]
]
