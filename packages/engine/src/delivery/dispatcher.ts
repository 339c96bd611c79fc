import { AsyncLocalStorage } from "node:async_hooks";
import { type Attempt, interpretAnswer } from "../rules/answer.ts";
import { type Cancel, callAt } from "../rules/clock.ts";
import { isRefusal } from "../rules/invocation.ts";
import { expiryAt } from "../rules/retention.ts";
import { decideSettlement, invocationOf, type Settlement, settleRefusal } from "../rules/settlement.ts";
import { messageOf } from "../rules/thrown.ts";
import type { Claim, Lease, Settled } from "../store/claims.ts";
import { CommitUnknown, StoreUnavailable } from "../store/unavailable.ts";
import { type Abandoned, attempt } from "./attempt.ts";
import { toAttemptEvent, toDeliveringEvent } from "./attempt-event.ts";
import { type ConcurrencySlot, ConcurrencySlots } from "./concurrency-slots.ts";
import { DestinationLimiter, destinationOf } from "./destination-limiter.ts";
import type { DispatcherOptions } from "./dispatcher-options.ts";
import { escapeAnswer } from "./escape-answer.ts";
import { Heartbeat, type InFlightDelivery } from "./heartbeat.ts";
import { MemoryBudget, type MemoryReservation } from "./memory-budget.ts";
import { isLeftToFetch, toRequest } from "./request.ts";
import { ShortageBackoff } from "./shortage-backoff.ts";

/** Milliseconds between attempts to claim while the store fails. */
const STORE_RETRY_MS = 1000;

/**
 * Maximum number of messages that one transaction claims: a few milliseconds of work, during which all other
 * writes wait.
 */
const MAX_CLAIM_BATCH = 64;

/** An attempt without an answer counts as hung after this many milliseconds. */
const HUNG_AFTER_MS = 1000;

/** Maximum number of rows of each kind that one transaction of a sweep deletes. */
const SWEEP_BATCH = 100;

/** A message that is being delivered. */
interface ClaimedDelivery {
  readonly claim: Claim;
  readonly delivery: InFlightDelivery;
  readonly held: MemoryReservation;
  /** Milliseconds since 1970. */
  readonly began: number;
}

/** The engine's only loop: claims due messages, delivers them, and settles the results. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  /** The in-flight deliveries by message id. */
  readonly #inFlight = new Map<string, InFlightDelivery>();
  /** Deliveries of runs' histories, by the ids of the runs. */
  readonly #ofRuns = new Map<string, InFlightDelivery>();
  readonly #idlers = new Set<() => void>();
  #running = false;
  /** Whether the dispatcher has stopped waiting for deliveries in flight. */
  #abandoning = false;
  #claiming = false;
  /** Resolves when the messages of the last claim are in flight. */
  #claimed: Promise<void> = Promise.resolve();
  /** Whether runs have been heard of since the last claim. */
  #hearing = false;
  /** When the leases have ended of the last claim whose answer was lost. */
  #unknownUntil = Number.NEGATIVE_INFINITY;
  /** Whether more messages may be due than the last claim returned. */
  #more = false;
  #timer: { readonly at: number; readonly cancel: Cancel } | undefined;
  readonly #heartbeat: Heartbeat;
  readonly #limiter: DestinationLimiter;
  readonly #shortage: ShortageBackoff;
  readonly #slots: ConcurrencySlots;
  readonly #memory: MemoryBudget;
  /** Runs a function in the asynchronous context in which the engine was created. */
  readonly #inOwnContext = AsyncLocalStorage.snapshot();
  #lastSweep = Number.NEGATIVE_INFINITY;
  #sweeping = false;
  #maintenance: Cancel | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#heartbeat = new Heartbeat(options, this.#inFlight, () => this.#claimed);
    this.#limiter = new DestinationLimiter({ deliveries: options.concurrency, calls: options.calls });
    this.#slots = new ConcurrencySlots(options, () => this.#goOn());
    this.#memory = new MemoryBudget(options.bodyBytes);
    this.#shortage = new ShortageBackoff(options, () => this.#next());
    options.store.onDue((dueAt) => this.#wake(dueAt));
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#abandoning = false;
    const { clock, sweep } = this.#options;
    this.#maintenance = clock.every?.(sweep, () => this.sweep());
    this.#wake(clock.now());
  }

  /** Resolves when no message is due and none is in flight. */
  async idle(): Promise<void> {
    while (this.#claiming || this.#sweeping || this.#inFlight.size > 0) {
      await new Promise<void>((resolve) => this.#idlers.add(resolve));
    }
  }

  /**
   * Begins no more deliveries, and waits for those in flight. After `deadline` milliseconds the dispatcher
   * abandons them: their attempts don't count.
   */
  async stop(deadline: number): Promise<void> {
    this.#running = false;
    this.#maintenance?.();
    this.#timer?.cancel();
    this.#timer = undefined;
    const cancel = this.#options.clock.after(deadline, () => this.#abandon());
    if (deadline <= 0) this.#abandon();
    await this.idle();
    cancel();
  }

  #abandon(): void {
    this.#abandoning = true;
    for (const { abort, finished } of this.#inFlight.values()) if (!finished) abort.abort();
  }

  #wake(dueAt: number): void {
    if (!this.#running) return;
    if (dueAt > this.#options.clock.now()) this.#arm(dueAt);
    else this.#claim();
  }

  #arm(at: number): void {
    // The clock jumped past the timer, which would fire only later: messages may be due already.
    const passed = this.#timer && this.#timer.at <= this.#options.clock.now();
    if (this.#timer && this.#timer.at <= at && !passed) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (passed) {
      this.#claim();
      return;
    }
    const cancel = callAt(this.#options.clock, at, () => {
      this.#timer = undefined;
      this.#claim();
    });
    this.#timer = { at, cancel };
  }

  #claim(): void {
    if (!this.#running) return;
    if (this.#claiming || this.#shortage.active || this.#slots.left() <= 0) {
      this.#more = true;
      return;
    }
    this.#claiming = true;
    this.#more = false;
    // When a write calls this, the claim joins the write's transaction: no extra wait for the disk.
    // Deliveries don't belong to the request that wakes the engine, such as the start of another user's run.
    this.#claimed = this.#inOwnContext(() => this.#claimBatch());
    void this.#claimed.finally(() => {
      this.#claiming = false;
      this.#next();
    });
  }

  /** The number of deliveries and calls in flight. */
  get active(): number {
    return this.#slots.taken;
  }

  /** Whether due messages must wait until a delivery in flight ends. */
  get full(): boolean {
    return this.#running && this.#slots.left() <= 0;
  }

  async #claimBatch(): Promise<void> {
    const { store, clock, lease, emit, signer } = this.#options;
    const now = clock.now();
    signer.prepare();
    try {
      if (now < this.#unknownUntil) await this.#releaseUnknown();
      const { claims, nextDue, destinations } = await store.claim({
        limit: Math.min(this.#slots.left(), MAX_CLAIM_BATCH),
        leaseUntil: now + lease,
        destinations: this.#limiter.order(this.#slots.free()),
      });
      this.#limiter.update(destinations);
      for (const claim of claims) this.#launch(claim);
      this.#more ||= this.#limiter.hasCapacity(this.#slots.free());
      if (nextDue === undefined) return;
      if (nextDue > clock.now()) this.#wake(nextDue);
      else this.#more = true;
    } catch (error) {
      emit({ type: "fault", during: "claiming", error });
      if (error instanceof CommitUnknown) this.#unknownUntil = now + lease;
      this.#wake(clock.now() + STORE_RETRY_MS);
    }
  }

  /** Gives back what a claim has leased whose answer was lost: nothing delivers it. Its commit may come late, too. */
  async #releaseUnknown(): Promise<void> {
    const { store } = this.#options;
    const leases = await store.ownLeases();
    const isKnown = ({ messageId, fence }: Lease): boolean =>
      this.#inFlight.get(messageId)?.lease.fence === fence;
    await store.release(leases.filter((lease) => !isKnown(lease)));
  }

  /**
   * Continues after every change: claims what is left, or resolves the promises of {@link idle} when nothing
   * is.
   */
  #next(): void {
    if (this.#more && this.#running) this.#claim();
    this.sweep();
    if (this.#inFlight.size > 0) return;
    this.#heartbeat.stop();
    if (this.#claiming || this.#sweeping) return;
    for (const resolve of this.#idlers) resolve();
    this.#idlers.clear();
  }

  #launch(claim: Claim): void {
    const { lease } = claim;
    const known = this.#inFlight.get(lease.messageId);
    if (known && !known.finished) {
      // This process still delivers the message, but its lease expired while the process slept. The delivery
      // continues under the new lease.
      known.lease = lease;
      return;
    }
    const { kind, url } = claim.message;
    const destination = destinationOf(url, kind);
    const abort = new AbortController();
    const slot: ConcurrencySlot = { isCall: kind === "call" };
    const delivery: InFlightDelivery = {
      lease,
      kind,
      slot,
      destination,
      abort,
      finished: false,
      heard: false,
      responsiveness: "none",
    };
    if (this.#abandoning) abort.abort();
    this.#inFlight.set(lease.messageId, delivery);
    if (kind === "step" && lease.runId !== undefined) this.#ofRuns.set(lease.runId, delivery);
    this.#limiter.begin(destination);
    this.#slots.take(slot);
    this.#heartbeat.start();
    void this.#deliver(claim, delivery).finally(() => {
      const { heard, responsiveness } = delivery;
      this.#limiter.end(destination, heard && responsiveness === "answered" ? "none" : responsiveness);
      this.#slots.release(slot);
      if (this.#inFlight.get(lease.messageId) === delivery) this.#inFlight.delete(lease.messageId);
      if (this.#ofRuns.get(lease.runId ?? "") === delivery) this.#ofRuns.delete(lease.runId ?? "");
      this.#goOn();
    });
  }

  /**
   * A run has recorded a step. Its endpoint may keep a delivery for as long as the run lasts: what it answers meanwhile shows
   * that there may be more of them.
   */
  hear(runId: string): void {
    const delivery = this.#ofRuns.get(runId);
    if (!delivery || delivery.heard) return;
    delivery.heard = true;
    this.#limiter.hear(delivery.destination);
    // One claim for all that a commit tells of.
    if (!this.#hearing) queueMicrotask(() => this.#heard());
    this.#hearing = true;
  }

  #heard(): void {
    this.#hearing = false;
    this.#goOn();
  }

  /** Claims again after a slot became free: a waiting message's destination may have room now. */
  #goOn(): void {
    this.#more ||= this.#limiter.hasCapacity(this.#slots.free());
    this.#next();
  }

  async #deliver(claim: Claim, delivery: InFlightDelivery): Promise<void> {
    const { clock, emit } = this.#options;
    const began = clock.now();
    emit(toDeliveringEvent(claim, began));
    const held = this.#memory.reserve();
    try {
      await this.#settle({ claim, delivery, held, began }, await this.#attempt(claim, delivery, held));
    } finally {
      held.release();
    }
  }

  async #settle(
    { claim, delivery, held, began }: ClaimedDelivery,
    result: Attempt | Abandoned,
  ): Promise<void> {
    const { store, clock, emit, lease, mostRetries, inline, recordableBytes } = this.#options;
    const now = clock.now();
    delivery.finished = true;
    if (result.kind === "abandoned" && result.shortage !== undefined) this.#shortage.begin(result.shortage);
    if (result.kind === "unanswered" && now - began >= HUNG_AFTER_MS) delivery.responsiveness = "hung";
    if (result.kind === "answered") {
      delivery.responsiveness = "answered";
      this.#shortage.recover();
    }
    try {
      if (result.kind === "abandoned") return await store.release([delivery.lease]);
      const answer = interpretAnswer(claim, result);
      const decided = decideSettlement(claim, answer, { now, mostRetries, inline, recordableBytes });
      const settlement = await escapeAnswer(claim, decided, held);
      const settled = await this.#record(delivery.lease, settlement);
      const event = toAttemptEvent({ claim, result: answer, settlement, settled, ms: now - began, now });
      if (event) emit(event);
    } catch (error) {
      emit({ type: "fault", during: "settling", error });
      // The dispatcher delivers the message again when the lease expires.
      this.#wake(clock.now() + lease);
    }
  }

  /**
   * Settles a delivery. When the store refuses a record in the answer, the record's step fails, and the run with it.
   */
  async #record(lease: Lease, settlement: Settlement): Promise<Settled> {
    const { store, clock } = this.#options;
    try {
      return await store.settle(lease, settlement);
    } catch (error) {
      if (!isRefusal(error) || (settlement.kind === "failed" && !invocationOf(settlement))) throw error;
      return await this.#record(lease, settleRefusal(settlement, error, clock.now()));
    }
  }

  /** Loads the bodies that a claim lacks, once there is room for them, unless they are too large to send. */
  async #complete(claim: Claim, held: MemoryReservation): Promise<Claim> {
    const { store, historyBytes } = this.#options;
    if (claim.omitted === 0 || isLeftToFetch(claim, historyBytes)) return claim;
    await held.take(claim.omitted);
    return { ...claim, entries: await store.entriesOf(claim), omitted: 0 };
  }

  async #attempt(
    claim: Claim,
    { abort, slot }: InFlightDelivery,
    held: MemoryReservation,
  ): Promise<Attempt | Abandoned> {
    const {
      signer,
      clock,
      transport,
      timeout,
      messageTimeout,
      historyBytes,
      callBytes,
      region,
      inlineBytes,
    } = this.#options;
    const isCall = claim.message.kind === "call";
    const usual = claim.message.kind === "message" ? messageTimeout : timeout;
    try {
      const whole = await this.#complete(claim, held);
      const request = await toRequest(whole, { signer, maxHistory: historyBytes, now: clock.now(), region });
      return await attempt(request, {
        transport,
        clock,
        timeout: claim.message.timeout ?? usual,
        // The workflow would mistake a truncated answer for a whole one.
        wholeBytes: isCall ? callBytes : undefined,
        // The answer may hold the records of steps.
        maxBytes: claim.runLease === undefined ? undefined : inlineBytes,
        hold: isCall || claim.runLease !== undefined ? (bytes) => held.take(bytes) : undefined,
        abort,
        lookUp: () => this.#slots.lookUp(slot),
      });
    } catch (error) {
      // The destination isn't to blame for a fault of the store.
      if (error instanceof StoreUnavailable) return { kind: "abandoned" };
      return { kind: "unanswered", error: `the request can't be made: ${messageOf(error)}` };
    }
  }

  /**
   * Deletes expired rows if the last sweep is long enough ago: in small batches, while other work goes on.
   */
  sweep(): void {
    const { clock, sweep } = this.#options;
    const now = clock.now();
    // The absolute difference also covers a clock that was set back.
    if (!this.#running || this.#sweeping || Math.abs(now - this.#lastSweep) < sweep) return;
    this.#lastSweep = now;
    this.#sweeping = true;
    void this.#sweepUntil(now).finally(() => {
      this.#sweeping = false;
      this.#next();
    });
  }

  async #sweepUntil(now: number): Promise<void> {
    const { store, retention, emit, onRunsDeleted } = this.#options;
    const expiry = expiryAt(now, retention);
    try {
      for (let more = true; this.#running && more; ) {
        const swept = await store.sweep(expiry, SWEEP_BATCH);
        onRunsDeleted?.(swept.runs);
        more = swept.more;
      }
    } catch (error) {
      emit({ type: "fault", during: "cleaning up", error });
    }
  }
}
