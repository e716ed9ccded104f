/** Whether a database may act in the name of the installation that it holds, as a table. */
import { assert, describe, it } from "@effect/vitest"
import { type Identity, type Kept, standingOf } from "../../../src/store/Instance.ts"

const here: Identity = { systemIdentifier: "71", databaseOid: "16384", timeline: 1 }
const known: Kept = { id: "prod", systemIdentifier: "71", databaseOid: "16384", timeline: 1, halted: null }

interface Case {
  readonly name: string
  readonly because: string
  readonly kept?: Partial<Kept>
  readonly now?: Partial<Identity>
  readonly asked?: string
  /** Part of why it is halted, or the id under which it acts. */
  readonly then: { readonly halted: string } | { readonly id: string; readonly isPromoted?: true; readonly keeps?: Partial<Kept> }
}

const cases: ReadonlyArray<Case> = [
  { name: "the database that it was", because: "the controller was restarted", then: { id: "prod", keeps: known } },
  { name: "a row that was just made", because: "whatever it is now is right", kept: { systemIdentifier: null, databaseOid: null, timeline: null }, then: { id: "prod", keeps: known } },
  { name: "a promoted replica", because: "a failover keeps the system's identifier and raises its timeline, and must go on acting", now: { timeline: 2 }, then: { id: "prod", isPromoted: true, keeps: { timeline: 1 } } },
  { name: "a promoted replica, a person having said so", because: "its timeline is known from then on", kept: { timeline: null }, now: { timeline: 2 }, then: { id: "prod", keeps: { timeline: 2 } } },
  { name: "a copy on another server", because: "a dump was restored elsewhere", now: { systemIdentifier: "99" }, then: { halted: "a copy on another server: installation prod" } },
  { name: "a copy on the same server", because: "createdb --template has the id too", now: { databaseOid: "20000" }, then: { halted: "a copy: installation prod was in database 16384" } },
  { name: "a copy of a database whose server tells nothing", because: "the database's number tells", kept: { systemIdentifier: null }, now: { systemIdentifier: null, databaseOid: "20000" }, then: { halted: "a copy" } },
  { name: "a role that is not told any more", because: "what cannot be asked differs from nothing", now: { systemIdentifier: null, timeline: null }, then: { id: "prod", keeps: known } },
  { name: "a copy that is to be an installation of its own", because: "a person said so", now: { databaseOid: "20000" }, asked: "new", then: { id: "fresh", keeps: { databaseOid: "20000" } } },
  { name: "`new` that was left in place", because: "an installation must not lose its games with a restart", asked: "new", then: { id: "prod" } },
  { name: "`new` that was left in place, at a failover", because: "nor with a failover", now: { timeline: 2 }, asked: "new", then: { id: "prod", isPromoted: true } },
  { name: "a copy that is to go on", because: "a person moved the database, and named its id", now: { systemIdentifier: "99", databaseOid: "20000" }, asked: "prod", then: { id: "prod", keeps: { systemIdentifier: "99", databaseOid: "20000" } } },
  { name: "another id", because: "the setting overrides what is kept", asked: "blue", then: { id: "blue" } },
  { name: "one that was halted", because: "a restart is no person's word", kept: { halted: "two of them" }, then: { halted: "two of them" } },
  { name: "one that was halted and is named", because: "that is a person's word", kept: { halted: "two of them" }, now: { timeline: 2 }, asked: "prod", then: { id: "prod", keeps: { halted: null, timeline: 2 } } },
  { name: "one that was halted and is to be new", because: "so is that", kept: { halted: "two of them" }, asked: "new", then: { id: "fresh", keeps: { halted: null } } }
]

describe("whether a database acts in the name of its installation", () => {
  it.each(cases)("$name", ({ asked, because, kept, now, then }) => {
    const standing = standingOf({ ...known, ...kept }, { ...here, ...now }, asked, "fresh")
    if ("halted" in then) return assert.include(standing._tag === "Halted" ? standing.why : `acts as ${standing.kept.id}`, then.halted, because)
    if (standing._tag === "Halted") return assert.fail(`${because}: ${standing.why}`)
    assert.strictEqual(standing.kept.id, then.id, because)
    assert.strictEqual(standing.isPromoted, then.isPromoted ?? false, because)
    assert.deepInclude(standing.kept, then.keeps ?? {}, because)
  })
})
