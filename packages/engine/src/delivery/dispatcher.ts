import { type Attempt, hear } from "../rules/answer.ts";
import { type Cancel, callAt } from "../rules/clock.ts";
import { judge } from "../rules/outcome.ts";
import { messageOf } from "../rules/problem.ts";
import { expiryAt } from "../rules/retention.ts";
import { type Claim, StoreUnavailable } from "../store/store.ts";
import { type Abandoned, attempt } from "./attempt.ts";
import type { DispatcherOptions } from "./dispatcher-options.ts";
import { type Flight, Heartbeat } from "./heartbeat.ts";
import { Lanes, laneOf } from "./lanes.ts";
import { type Place, Places } from "./places.ts";
import { describeClaim, report } from "./report.ts";
import { isLeftToFetch, toRequest } from "./request.ts";
import { type ByteHold, ByteRoom } from "./room.ts";
import { Rest } from "./shortage.ts";

/** How long to wait, in milliseconds, when the store refuses to give out work. */
const STORE_RETRY = 1000;

/** Messages that one transaction gives out: a few milliseconds' work, for which all else has to wait. */
const CLAIMED_AT_ONCE = 32;

/** Milliseconds after which an attempt that brought no answer has kept the engine waiting. */
const HUNG_AFTER = 1000;

/** What a clean-up deletes of each kind before it lets others have their turn. */
const SWEPT_AT_ONCE = 100;

/** The only loop of the engine: claims what is due, delivers it, and settles what came of it. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  /** What is being delivered, by message id. */
  readonly #flights = new Map<string, Flight>();
  readonly #idlers = new Set<() => void>();
  #abort = new AbortController();
  #running = false;
  #claiming = false;
  /** More may be due than was given out. */
  #more = false;
  #timer: { readonly at: number; readonly cancel: Cancel } | undefined;
  readonly #heartbeat: Heartbeat;
  readonly #lanes: Lanes;
  readonly #rest: Rest;
  readonly #places: Places;
  readonly #room: ByteRoom;
  #lastSweep = Number.NEGATIVE_INFINITY;
  #sweeping = false;
  #upkeep: Cancel | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#heartbeat = new Heartbeat(options, this.#flights);
    this.#lanes = new Lanes({ deliveries: options.concurrency, calls: options.calls });
    this.#places = new Places(options, () => this.#goOn());
    this.#room = new ByteRoom(options.bodyBytes);
    this.#rest = new Rest(options, () => this.#next());
    options.store.onDue((dueAt) => this.#wake(dueAt));
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#abort = new AbortController();
    const { clock, sweep } = this.#options;
    this.#upkeep = clock.every?.(sweep, () => this.sweep());
    this.#wake(clock.now());
  }

  /** Resolves when nothing is due now and nothing is being delivered. */
  async idle(): Promise<void> {
    while (this.#claiming || this.#sweeping || this.#flights.size > 0) {
      await new Promise<void>((resolve) => this.#idlers.add(resolve));
    }
  }

  /**
   * Begins no more deliveries, and waits for those that are under way. After `deadline` milliseconds they are abandoned:
   * they count as not made.
   */
  async stop(deadline: number): Promise<void> {
    this.#running = false;
    this.#upkeep?.();
    this.#timer?.cancel();
    this.#timer = undefined;
    const cancel = this.#options.clock.after(deadline, () => this.#abort.abort());
    if (deadline <= 0) this.#abort.abort();
    await this.idle();
    cancel();
  }

  #wake(dueAt: number): void {
    if (!this.#running) return;
    if (dueAt > this.#options.clock.now()) this.#arm(dueAt);
    else this.#claim();
  }

  #arm(at: number): void {
    // The clock has jumped past it: what it is for may be due, and it would look again only in a moment.
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
    if (this.#claiming || this.#rest.lasts || this.#places.left() <= 0) {
      this.#more = true;
      return;
    }
    this.#claiming = true;
    this.#more = false;
    // Called from within a write, the claim joins its transaction: no extra wait for the disk.
    void this.#take().finally(() => {
      this.#claiming = false;
      this.#next();
    });
  }

  /** Deliveries and calls under way. */
  get active(): number {
    return this.#places.taken;
  }

  /** Whether what is due has to wait for the end of something that is under way. */
  get full(): boolean {
    return this.#running && this.#places.left() <= 0;
  }

  async #take(): Promise<void> {
    const { store, clock, lease, emit } = this.#options;
    const now = clock.now();
    try {
      const { claims, nextDue, lanes } = await store.claim({
        limit: Math.min(this.#places.left(), CLAIMED_AT_ONCE),
        leaseUntil: now + lease,
        lanes: this.#lanes.order(this.#places.room()),
      });
      this.#lanes.learn(lanes);
      for (const claim of claims) this.#launch(claim);
      this.#more ||= this.#lanes.isOpen(this.#places.room());
      if (nextDue === undefined) return;
      if (nextDue > clock.now()) this.#wake(nextDue);
      else this.#more = true;
    } catch (error) {
      emit({ type: "fault", during: "claiming", error });
      this.#wake(clock.now() + STORE_RETRY);
    }
  }

  /** After every change: goes on with what is left, or tells those who wait that nothing is. */
  #next(): void {
    if (this.#more && this.#running) this.#claim();
    this.sweep();
    if (this.#flights.size > 0) return;
    this.#heartbeat.stop();
    if (this.#claiming || this.#sweeping) return;
    for (const resolve of this.#idlers) resolve();
    this.#idlers.clear();
  }

  #launch(claim: Claim): void {
    const { lease } = claim;
    const known = this.#flights.get(lease.messageId);
    if (known && !known.landed) {
      // Ours still, but its lease had run out while this process slept. It goes on under the new one.
      known.lease = lease;
      return;
    }
    const { purpose, url } = claim.message;
    const lane = laneOf(url, purpose);
    const abort = new AbortController();
    const place: Place = { isCall: purpose === "call" };
    const flight: Flight = { lease, purpose, place, lane, abort, landed: false, experience: "none" };
    this.#flights.set(lease.messageId, flight);
    this.#lanes.begin(lane);
    this.#places.take(place);
    this.#heartbeat.start();
    void this.#deliver(claim, flight).finally(() => {
      this.#lanes.end(lane, flight.experience);
      this.#places.leave(place);
      if (this.#flights.get(lease.messageId) === flight) this.#flights.delete(lease.messageId);
      this.#goOn();
    });
  }

  /** There is a place more, and so perhaps room for what waits for its destination. */
  #goOn(): void {
    this.#more ||= this.#lanes.isOpen(this.#places.room());
    this.#next();
  }

  async #deliver(claim: Claim, flight: Flight): Promise<void> {
    const { clock, emit } = this.#options;
    const began = clock.now();
    const { retried, notBefore, createdAt } = claim.message;
    const lag = retried === 0 ? Math.max(0, began - Math.max(notBefore, createdAt)) : undefined;
    emit({ type: "delivering", lag, ...describeClaim(claim) });
    const held = this.#room.hold();
    try {
      await this.#settle(claim, flight, await this.#attempt(claim, flight, held), began);
    } finally {
      held.release();
    }
  }

  async #settle(claim: Claim, flight: Flight, result: Attempt | Abandoned, began: number): Promise<void> {
    const { store, clock, emit, lease, mostRetries } = this.#options;
    const now = clock.now();
    flight.landed = true;
    if (result.kind === "abandoned" && result.shortage !== undefined) this.#rest.begin(result.shortage);
    if (result.kind === "unanswered" && now - began >= HUNG_AFTER) flight.experience = "hung";
    if (result.kind === "answered") {
      flight.experience = "answered";
      this.#rest.recover();
    }
    try {
      if (result.kind === "abandoned") return await store.release([flight.lease]);
      const heard = hear(claim, result);
      const settlement = judge(claim, heard, { now, mostRetries });
      const settled = await store.settle(flight.lease, settlement);
      const event = report({ claim, heard, settlement, settled, ms: now - began });
      if (event) emit(event);
    } catch (error) {
      emit({ type: "fault", during: "settling", error });
      // When its lease has run out, it is delivered again.
      this.#wake(clock.now() + lease);
    }
  }

  /** The claim with the bodies that it lacks, once there is room for them, unless they are too large to be sent. */
  async #complete(claim: Claim, held: ByteHold): Promise<Claim> {
    const { store, historyBytes } = this.#options;
    if (claim.omitted === 0 || isLeftToFetch(claim, historyBytes)) return claim;
    await held.take(claim.omitted);
    return { ...claim, entries: await store.entriesOf(claim), omitted: 0 };
  }

  async #attempt(claim: Claim, { abort, place }: Flight, held: ByteHold): Promise<Attempt | Abandoned> {
    const { signer, clock, transport, timeout, messageTimeout, historyBytes, callBytes, region } =
      this.#options;
    const usual = claim.message.purpose === "message" ? messageTimeout : timeout;
    try {
      const whole = await this.#complete(claim, held);
      const request = await toRequest(whole, signer, historyBytes, clock.now(), region);
      return await attempt(request, {
        transport,
        clock,
        timeout: claim.message.timeout ?? usual,
        // Half an answer would be taken for a whole one.
        wholeBytes: claim.message.purpose === "call" ? callBytes : undefined,
        hold: claim.message.purpose === "call" ? (bytes) => held.take(bytes) : undefined,
        stop: AbortSignal.any([this.#abort.signal, abort.signal]),
        lookUp: () => this.#places.lookUp(place),
      });
    } catch (error) {
      // The store's fault is none of the destination's.
      if (error instanceof StoreUnavailable) return { kind: "abandoned" };
      return { kind: "unanswered", error: `the request can't be made: ${messageOf(error)}` };
    }
  }

  /** Deletes what is past its time, when that hasn't been done for a while: little by little, and beside all else. */
  sweep(): void {
    const { clock, sweep } = this.#options;
    const now = clock.now();
    // A clock may have been set back meanwhile.
    if (!this.#running || this.#sweeping || Math.abs(now - this.#lastSweep) < sweep) return;
    this.#lastSweep = now;
    this.#sweeping = true;
    void this.#sweepUntil(now).finally(() => {
      this.#sweeping = false;
      this.#next();
    });
  }

  async #sweepUntil(now: number): Promise<void> {
    const { store, retention, emit } = this.#options;
    const expiry = expiryAt(now, retention);
    try {
      while (this.#running && (await store.sweep(expiry, SWEPT_AT_ONCE)));
    } catch (error) {
      emit({ type: "fault", during: "cleaning up", error });
    }
  }
}
