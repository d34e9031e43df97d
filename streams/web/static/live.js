// What changes while somebody looks: one stream of events a page, closed while nobody sees it.

export class Live {
  /**
   * `from` is the stream's address; `parts` are what hears of each part, by its name. `without` is called, once, where
   * no stream can be had.
   */
  constructor(from, parts, without = () => {}) {
    this.from = from;
    this.parts = parts;
    this.without = without;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", () => this.open());
    this.open();
  }

  open() {
    if (this.source || this.isWithout || document.hidden) return;
    this.source = new EventSource(`${this.from}${this.from.includes("?") ? "&" : "?"}parts=${Object.keys(this.parts).join(",")}`);
    for (const [name, hear] of Object.entries(this.parts)) this.source.addEventListener(name, (event) => hear(event.data));
    this.source.addEventListener("error", () => this.failed());
  }

  /** A stream that ended is asked for again by the browser; one that was refused is not. */
  failed() {
    if (this.source?.readyState !== EventSource.CLOSED) return;
    this.close();
    this.isWithout = true;
    this.without();
  }

  close() {
    this.source?.close();
    this.source = null;
  }
}
