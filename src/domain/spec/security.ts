/** What a game may do beyond the hardening that all have, and what it may do less. */
import { Schema } from "effect"
import { field, listOf, Name } from "./values.ts"

/** Those of Linux, without their CAP_. */
export const Capability = Schema.Literals([
  "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",
  "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE",
  "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE",
  "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM"
])
export type Capability = typeof Capability.Type

/**
 * What any game may ask for: to listen on a port below 1024 of its own network, and what an image needs that begins as root, hands a
 * folder to a user and becomes that user. All are in the engine's own default, and reach no further than the container's own files,
 * processes and network.
 */
export const harmlessCapabilities: ReadonlyArray<Capability> = ["CHOWN", "NET_BIND_SERVICE", "SETGID", "SETUID"]

const Profile = Name.check(Schema.makeFilter((name: string) => /^unconfined$/i.test(name) ? "takes a profile, not none" : undefined))

export const Security = Schema.Struct({
  cap_add: field(listOf(Capability, 41),
    `Capabilities, without \`CAP_\`: ${harmlessCapabilities.map((name) => `\`${name}\``).join(", ")}, and what \`RTM_CAPS_ALLOW\` names.`, "none"),
  read_only_root: field(Schema.Boolean, "The image's files cannot be written; state, volumes and tmpfs can.", "`false`"),
  seccomp: field(Profile, "Name of a profile: `RTM_SECCOMP_ROOT`/name.json, read at each create.", "the engine's own"),
  apparmor: field(Profile, "Name of a profile of the host, which `RTM_APPARMOR_ALLOW` must name.", "the engine's own")
})
