// The cases that this page holds: claimed before they are shown, kept by heartbeats, decided when the moment to undo is over.
import { ask } from "./talking.js";

const AHEAD = 5;
const HEARTBEAT_MS = 20_000;
const UNDO_MS = 5_000; // so long a decision waits here before it is sent
const DONE_MAX = 20;

export class Queue {
  /**
   * `wanted` says which cases; `tell` hears of what went wrong; `prepare` is given each case that comes next, and
   * resolves when what is seen of it first is there; then, when enough are ahead, `complete` is given them for the rest.
   */
  constructor(at, wanted, { tell, prepare, complete }) {
    this.at = at;
    this.wanted = wanted;
    this.tell = tell;
    this.prepare = prepare;
    this.complete = complete;
    this.ahead = [];
    this.held = new Map(); // by case: the epoch of its claim
    this.waiting = []; // decisions that can be undone without a word to anybody
    this.done = [];
    this.listeners = []; // who waits for the next case
    this.isEmpty = false;
    setInterval(() => this.keep(), HEARTBEAT_MS);
    addEventListener("pagehide", () => this.leave());
  }

  /** The next case, or null when there is none. */
  async next() {
    this.fill();
    while (!this.ahead.length && this.filling) await new Promise((resolve) => this.listeners.push(resolve));
    const found = this.ahead.shift() ?? null;
    this.fill();
    return found;
  }

  /** Claims until enough are ahead; one call at a time. */
  fill() {
    this.filling ??= this.claimAhead().finally(() => {
      this.filling = null;
      this.arrived();
      this.completeAhead();
    });
  }

  /** Fetches what is seen of the next cases later, while nothing is wanted sooner. */
  async completeAhead() {
    if (this.isCompleting) return;
    this.isCompleting = true;
    for (const view of [...this.ahead]) {
      if (this.filling) break;
      await this.complete(view);
    }
    this.isCompleting = false;
  }

  arrived() {
    for (const listener of this.listeners.splice(0)) listener();
  }

  async claimAhead() {
    this.isEmpty = false;
    while (this.ahead.length < AHEAD && !this.isEmpty) {
      let found = null;
      try {
        found = await ask(`${this.at}/next`, this.wanted);
      } catch (error) {
        this.tell(error.message, true);
        return;
      }
      if (!found) this.isEmpty = true;
      else {
        this.held.set(found.claim.case_id, found.claim.epoch);
        this.ahead.push(found.case);
        this.arrived();
        await this.prepare(found.case); // one after the other: what is seen next has the machine to itself
      }
    }
  }

  /** Says what a person decided; it is sent when it cannot be undone by a key any more. */
  decide(view, decision) {
    const entry = { view, decision, timer: 0 };
    entry.timer = setTimeout(() => this.write(entry), UNDO_MS);
    this.waiting.push(entry);
  }

  /** The case whose decision is taken back, to be shown again; null when nothing is left to undo. */
  async undo() {
    const entry = this.waiting.pop();
    if (entry) {
      clearTimeout(entry.timer);
      return entry.view;
    }
    const last = this.done.at(-1);
    if (!last) return null;
    await ask(`${this.at}/undo`, { case: last.summary.case_id, reason: "undone at the desk" });
    this.done.pop();
    this.tell(`${last.summary.title || last.summary.sku} waits again`);
    return null;
  }

  /** Cases that were decided together: they come no more, and can be undone by an event. */
  sent(summaries) {
    const ids = new Set(summaries.map((each) => each.case_id));
    for (const id of ids) this.held.delete(id);
    this.ahead = this.ahead.filter((view) => !ids.has(view.summary.case_id));
    this.done = [...this.done, ...summaries.map((summary) => ({ summary }))].slice(-DONE_MAX);
    this.fill();
  }

  skip(view) {
    this.release(view.summary.case_id);
  }

  putBack(view) {
    this.ahead.unshift(view);
  }

  get left() {
    return this.ahead.length;
  }

  /** Sends a decision; `keepalive`, for a page that goes while a request is on its way takes the request with it. */
  async write(entry) {
    this.waiting = this.waiting.filter((each) => each !== entry);
    const id = entry.view.summary.case_id;
    const decision = { ...entry.decision, epoch: this.held.get(id) };
    try {
      const word = await ask(`${this.at}/decide`, { case: id, decision }, { keepalive: true });
      if (word?.is_final === false) this.tell("Noted: somebody else has to look at it, too.", false, true);
      this.done = [...this.done, entry.view].slice(-DONE_MAX);
      this.held.delete(id);
    } catch (error) {
      this.held.delete(id);
      this.tell(`${entry.view.summary.title || entry.view.summary.sku}: ${error.message}`, true);
    }
  }

  async keep() {
    for (const [id, epoch] of this.held) {
      const kept = await ask(`${this.at}/keep`, { case: id, epoch }).catch(() => null);
      if (kept) continue;
      this.held.delete(id);
      this.ahead = this.ahead.filter((view) => view.summary.case_id !== id);
    }
  }

  release(id, options) {
    const epoch = this.held.get(id);
    this.held.delete(id);
    if (epoch !== undefined) ask(`${this.at}/release`, { case: id, epoch }, options).catch(() => {}); // it ends by itself
  }

  /** The page goes: what was decided is sent, what was not is given back. */
  leave() {
    for (const entry of [...this.waiting]) {
      clearTimeout(entry.timer);
      this.write(entry);
    }
    for (const view of this.ahead) this.release(view.summary.case_id, { keepalive: true });
  }
}
