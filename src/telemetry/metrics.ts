/**
 * Every metric of the product. The names of queue and controller are client-go's and controller-runtime's, so that
 * dashboards made for those work. A queue's numbers are read when somebody asks, not written at each step.
 */
import { Effect, Metric, type Scope } from "effect"

/** controller-runtime's buckets for the time of a reconcile, in seconds. */
const reconcileBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2, 2.5, 3,
  3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60
]
/** client-go's buckets for time in a queue, in seconds: 10 ns to 1000 s. */
const queueBuckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000]

/** A histogram that costs an array write, for a path that cannot afford more. */
class Tally {
  count = 0
  sum = 0
  #min = Infinity
  #max = -Infinity
  readonly #counts: Array<number>
  readonly #bounds: ReadonlyArray<number>

  constructor(bounds: ReadonlyArray<number>) {
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  add(value: number): void {
    this.count++
    this.sum += value
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
    const bounds = this.#bounds
    let index = 0
    while (index < bounds.length && value > bounds[index]!) index++
    if (index < bounds.length) this.#counts[index]!++
  }

  get state(): Metric.HistogramState {
    let total = 0
    const buckets = this.#bounds.map((bound, index) => [bound, total += this.#counts[index]!] as [number, number])
    return { buckets, count: this.count, min: this.count === 0 ? 0 : this.#min, max: this.count === 0 ? 0 : this.#max, sum: this.sum }
  }
}

/** What a work queue counts about itself. */
export interface QueueStats {
  adds: number
  retries: number
  readonly waited: (ms: number) => void
  readonly worked: (ms: number) => void
  readonly depth: () => number
  /** Ages of the keys that are worked on, in ms. */
  readonly unfinished: () => ReadonlyArray<number>
  readonly oldestMs: () => number
  readonly queueSeconds: Tally
  readonly workSeconds: Tally
}

export const queueStats = (
  depth: () => number,
  unfinished: () => ReadonlyArray<number>,
  oldestMs: () => number
): QueueStats => {
  const queueSeconds = new Tally(queueBuckets)
  const workSeconds = new Tally(queueBuckets)
  return {
    adds: 0,
    retries: 0,
    waited: (ms) => queueSeconds.add(ms / 1000),
    worked: (ms) => workSeconds.add(ms / 1000),
    depth,
    unfinished,
    oldestMs,
    queueSeconds,
    workSeconds
  }
}

/** Shows a queue's numbers for as long as the scope lives. */
export const registerQueue = Effect.fnUntraced(function*(name: string, stats: QueueStats): Effect.fn.Return<void, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const attributes = { name }
  const show = <I, S>(metric: Metric.Metric<I, S>, get: () => S) =>
    Metric.registerUnsafe(Metric.withAttributes(metric, attributes), context, { get, update: () => {}, modify: () => {} })
  const count = (metric: Metric.Counter<number>, get: () => number) => show(metric, () => ({ count: get(), incremental: true }))
  const level = (metric: Metric.Gauge<number>, get: () => number) => show(metric, () => ({ value: get() }))
  const shown = [
    level(Metric.gauge("workqueue_depth", { description: "Current depth of the workqueue" }), stats.depth),
    count(Metric.counter("workqueue_adds_total", { description: "Adds handled by the workqueue", incremental: true }), () => stats.adds),
    count(Metric.counter("workqueue_retries_total", { description: "Retries handled by the workqueue", incremental: true }), () => stats.retries),
    show(
      Metric.histogram("workqueue_queue_duration_seconds", { description: "How long an item stays in the workqueue", boundaries: queueBuckets }),
      () => stats.queueSeconds.state
    ),
    show(
      Metric.histogram("workqueue_work_duration_seconds", { description: "How long processing an item takes", boundaries: queueBuckets }),
      () => stats.workSeconds.state
    ),
    level(
      Metric.gauge("workqueue_unfinished_work_seconds", { description: "Work in progress not yet seen by work_duration" }),
      () => stats.unfinished().reduce((sum, ms) => sum + ms, 0) / 1000
    ),
    level(
      Metric.gauge("workqueue_longest_running_processor_seconds", { description: "How long the longest running processor runs" }),
      () => stats.unfinished().reduce((longest, ms) => Math.max(longest, ms), 0) / 1000
    ),
    level(
      Metric.gauge("rtmanager_workqueue_oldest_seconds", { description: "How long the oldest waiting key has waited" }),
      () => stats.oldestMs() / 1000
    )
  ]
  yield* Effect.addFinalizer(() => Effect.sync(() => shown.forEach((registration) => registration.remove())))
})

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

export const reconcileTotal = counter("controller_runtime_reconcile_total", "Reconciles per controller and result")
export const reconcileErrors = counter("controller_runtime_reconcile_errors_total", "Reconcile errors per controller")
export const reconcileSeconds = Metric.histogram("controller_runtime_reconcile_time_seconds", {
  description: "Time per reconcile",
  boundaries: reconcileBuckets
})
export const activeWorkers = Metric.gauge("controller_runtime_active_workers", { description: "Workers at work per controller" })
export const maxWorkers = Metric.gauge("controller_runtime_max_concurrent_reconciles", { description: "Places per controller, slow and quick" })
export const reconcileDeadlines = counter("rtmanager_reconcile_deadline_total", "Reconciles cut off by their deadline")
export const reconcileUnsettled = counter("rtmanager_reconcile_unsettled_total", "Reconciles that asked for another look too often in a row")
export const placesInUse = Metric.gauge("rtmanager_places_in_use", { description: "Places in use per controller: slow, quick, or lent" })
export const loopFailures = counter("rtmanager_background_failures_total", "Failures of background loops, by loop")
export const engineSeconds = Metric.histogram("rtmanager_engine_call_seconds", {
  description: "Time of an engine call, by operation",
  boundaries: reconcileBuckets
})
export const engineErrors = counter("rtmanager_engine_errors_total", "Engine calls that failed, by operation and reason")
export const leader = Metric.gauge("rtmanager_leader", { description: "1 while this controller acts, 0 while it stands by" })
export const outboxSent = counter("rtmanager_outbox_sent_total", "Messages relayed from the outbox")
export const outboxDepth = Metric.gauge("rtmanager_outbox_depth", { description: "Messages of the last batch not relayed yet" })
export const jobsTaken = counter("rtmanager_jobs_taken_total", "Jobs taken from the streams, by kind and verdict")
export const sweepSeconds = Metric.histogram("rtmanager_sweep_seconds", { description: "Time of a resync", boundaries: reconcileBuckets })
export const sweepDrift = counter("rtmanager_sweep_drift_total", "Games a resync found to differ")
export const imagePulls = counter("rtmanager_image_pulls_total", "Image pulls, by outcome")

/** The four results of controller-runtime. */
export const reconcileResults = ["success", "error", "requeue", "requeue_after"] as const

/** Shows a controller's series from the start, at 0. */
export const initController = Effect.fnUntraced(function*(controller: string, workers: number) {
  const context = yield* Effect.context<never>()
  const zero = (metric: Metric.Counter<number>, attributes: Record<string, string>) =>
    Metric.withAttributes(metric, { controller, ...attributes }).updateUnsafe(0, context)
  for (const result of reconcileResults) zero(reconcileTotal, { result })
  zero(reconcileErrors, {})
  zero(reconcileDeadlines, {})
  zero(reconcileUnsettled, {})
  Metric.withAttributes(activeWorkers, { controller }).updateUnsafe(0, context)
  Metric.withAttributes(maxWorkers, { controller }).updateUnsafe(workers, context)
})

/** Shows the places of a controller for as long as the scope lives. */
export const registerPlaces = Effect.fnUntraced(function*(
  controller: string,
  inUse: () => { readonly slow: number; readonly quick: number; readonly lent: number }
): Effect.fn.Return<void, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const shown = (["slow", "quick", "lent"] as const).map((place) =>
    Metric.registerUnsafe(Metric.withAttributes(placesInUse, { controller, place }), context, {
      get: () => ({ value: inUse()[place] }),
      update: () => {},
      modify: () => {}
    })
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => shown.forEach((registration) => registration.remove())))
})
