/**
 * Which installation this is, and whether the database that says so is the one it was said in. A copy of a database has the id
 * too: it acts on nothing until a person says which of the two it is. Pure.
 */

/** What `rtmanager.instance` keeps. null: not known, whatever it is now is right. */
export interface Kept {
  readonly id: string
  readonly systemIdentifier: string | null
  readonly databaseOid: string | null
  readonly timeline: number | null
  /** Why nothing is acted on. */
  readonly halted: string | null
}

/** The database that answers. null: it does not tell the schema's owner. */
export interface Identity {
  readonly systemIdentifier: string | null
  readonly databaseOid: string
  readonly timeline: number | null
}

export type Standing =
  /**
   * `isPromoted`: a replica of the database that was known. The former one may live on beside it, and its controller too.
   * `isToldApart`: a copy of it on another server would be noticed.
   */
  | { readonly _tag: "Acts"; readonly kept: Kept; readonly isPromoted: boolean; readonly isToldApart: boolean }
  | { readonly _tag: "Halted"; readonly why: string }

const wayOut = "say which it is: RTM_INSTANCE=new makes it an installation of its own, RTM_INSTANCE=<id> or an update of rtmanager.instance makes it this one (docs/operations.md)"

const differs = (kept: string | null, now: string | null): boolean => kept !== null && now !== null && kept !== now

/** Why this database must not act in the name of the id that it holds; undefined: it may. */
const haltOf = (kept: Kept, now: Identity): string | undefined => {
  if (kept.halted !== null) return kept.halted
  if (differs(kept.systemIdentifier, now.systemIdentifier)) {
    return `this database is a copy on another server: installation ${kept.id} was on PostgreSQL system ${kept.systemIdentifier}, this is ${now.systemIdentifier}; ${wayOut}`
  }
  return differs(kept.databaseOid, now.databaseOid)
    ? `this database is a copy: installation ${kept.id} was in database ${kept.databaseOid} of this server, this is ${now.databaseOid}; ${wayOut}`
    : undefined
}

/**
 * `asked`: the setting, an id or `new`. It is a person's word, and settles what is in doubt; `new` changes nothing where nothing
 * is in doubt, so that it does no harm when it is left in place. A replica that was promoted acts on.
 */
export const standingOf = (kept: Kept, now: Identity, asked: string | undefined, freshId: string): Standing => {
  const why = haltOf(kept, now)
  if (asked !== undefined && asked !== "new") return acts({ ...now, id: asked, halted: null }, now)
  if (why === undefined) {
    return acts({
      ...kept,
      systemIdentifier: kept.systemIdentifier ?? now.systemIdentifier,
      databaseOid: kept.databaseOid ?? now.databaseOid,
      timeline: kept.timeline ?? now.timeline
    }, now)
  }
  return asked === "new" ? acts({ ...now, id: freshId, halted: null }, now) : { _tag: "Halted", why }
}

const acts = (kept: Kept, now: Identity): Standing => ({
  _tag: "Acts",
  kept,
  isPromoted: kept.timeline !== null && now.timeline !== null && now.timeline > kept.timeline,
  isToldApart: now.systemIdentifier !== null
})

/** Kept when a promoted replica finds that the former database's controller is alive. */
export const rivalFound = (what: string): string => `another controller of this installation is alive: ${what}; ${wayOut}`
