// The picture of a case: its views, the ground behind what is see-through, zoom and pan, the same in both panes.

const VIEWS = ["pair", "result", "source", "left-out", "cutout", "moving"];
const NAMES = { result: "Result", source: "Source", "left-out": "Left out", cutout: "Cutout", moving: "Moving", "where-edges": "Where: the edge", "where-colour": "Where: colours off, red from ΔE 10", "where-text": "Where: lines of text, red where they look otherwise", "where-shadow": "Where: shadow" };
const GROUNDS = ["black", "white", "checker", "grey"];
const ZOOM_MAX = 16;

export class Viewer {
  constructor(stage, divide) {
    this.stage = stage;
    this.divide = divide;
    this.panes = [...stage.querySelectorAll(".pane")];
    this.view = "pair";
    this.at = { x: 0.5, y: 0.5, zoom: 1, isWhole: true };
    this.addresses = {};
    this.ready = new Map(); // pictures that are decoded already, by address
    this.listen();
    this.ground("white");
  }

  /** Shows pictures: their addresses by view. Resolves when what is seen is decoded. */
  async show(addresses) {
    this.addresses = addresses;
    this.at = { ...this.at, x: 0.5, y: 0.5, zoom: 1 };
    await this.draw();
  }

  look(view) {
    this.view = view;
    return this.draw();
  }

  next() {
    const known = VIEWS.filter((view) => view === "pair" || this.addresses[view]);
    return this.look(known[(known.indexOf(this.view) + 1) % known.length]);
  }

  slide() {
    return this.look(this.view === "slide" ? "pair" : "slide");
  }

  ground(name) {
    for (const each of GROUNDS) this.stage.classList.toggle(`ground-${each}`, each === name);
    mark("ground", name);
  }

  groundAt(number) {
    if (GROUNDS[number]) this.ground(GROUNDS[number]);
  }

  toggleWhole() {
    this.at.isWhole = !this.at.isWhole;
    this.at.zoom = 1;
    document.getElementById("zoom").setAttribute("aria-pressed", String(!this.at.isWhole));
    this.place();
  }

  closer(times) {
    this.at.zoom = Math.min(ZOOM_MAX, Math.max(0.25, this.at.zoom * times));
    this.place();
  }

  /** Moves by shares of what is seen. */
  move(x, y) {
    const image = this.panes.find((pane) => !pane.hidden).querySelector("img");
    const scale = this.scaleOf(image);
    this.at.x = within(this.at.x + (x * this.stage.clientWidth) / (image.naturalWidth * scale));
    this.at.y = within(this.at.y + (y * this.stage.clientHeight) / (image.naturalHeight * scale));
    this.place();
  }

  divideBy(steps) {
    this.divide.value = Number(this.divide.value) + steps;
    this.place();
  }

  async draw() {
    const [left, right] = this.parts();
    this.stage.classList.toggle("is-pair", this.view === "pair" && Boolean(right));
    this.stage.classList.toggle("is-slide", this.view === "slide");
    this.divide.hidden = this.view !== "slide";
    document.getElementById("where").setAttribute("aria-pressed", String(this.view.startsWith("where-")));
    mark("view", this.view);
    await Promise.all([left, right].map((part, number) => this.fill(this.panes[number], part).then(() => this.place())));
  }

  /** What the panes show. Before and after are of one shape where there is a cutout, else each is shown whole. */
  parts() {
    const known = this.addresses;
    const before = known["left-out"] ? "left-out" : "source";
    if (this.view === "slide") return ["source", known.cutout ? "cutout" : "result"];
    if (this.view !== "pair") return [known[this.view] ? this.view : "result"];
    return known[before] ? [before, "result"] : ["result"];
  }

  async fill(pane, part) {
    pane.hidden = !part;
    if (!part) return;
    let image = pane.querySelector("img");
    pane.querySelector("figcaption").textContent = NAMES[part];
    const address = this.addresses[part];
    if (image.getAttribute("src") !== address) {
      const shown = this.ready.get(address) ?? Object.assign(new Image(), { src: address });
      this.ready.delete(address); // a picture is in one place at a time
      Object.assign(shown, { alt: NAMES[part], draggable: false });
      image.replaceWith(shown);
      image = shown;
    }
    try {
      await image.decode();
    } catch {
      pane.querySelector("figcaption").textContent = `${NAMES[part]}: ${part.startsWith("where-") ? "cannot be told of this picture" : "the picture is gone"}`;
    }
  }

  scaleOf(image) {
    const pane = image.parentElement;
    const whole = Math.min(pane.clientWidth / image.naturalWidth, pane.clientHeight / image.naturalHeight);
    return (this.at.isWhole ? whole : 1) * this.at.zoom;
  }

  place() {
    for (const pane of this.panes) {
      const image = pane.querySelector("img");
      if (pane.hidden || !image.naturalWidth) continue;
      const scale = this.scaleOf(image);
      const left = pane.clientWidth / 2 - this.at.x * image.naturalWidth * scale;
      const top = pane.clientHeight / 2 - this.at.y * image.naturalHeight * scale;
      image.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
      image.classList.toggle("is-large", scale >= 3);
    }
    const share = this.view === "slide" ? Number(this.divide.value) : 0;
    this.panes[1].style.clipPath = this.view === "slide" ? `inset(0 0 0 ${share}%)` : "";
    this.panes[1].style.background = this.view === "slide" ? "inherit" : "";
  }

  listen() {
    this.divide.addEventListener("input", () => this.place());
    this.stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.closer(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    }, { passive: false });
    this.stage.addEventListener("pointerdown", (event) => {
      if (event.target === this.divide) return;
      this.stage.setPointerCapture(event.pointerId);
      this.from = { x: event.clientX, y: event.clientY };
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (!this.from || !this.stage.hasPointerCapture(event.pointerId)) return;
      this.move((this.from.x - event.clientX) / this.stage.clientWidth, (this.from.y - event.clientY) / this.stage.clientHeight);
      this.from = { x: event.clientX, y: event.clientY };
    });
    this.stage.addEventListener("dblclick", () => this.toggleWhole());
    new ResizeObserver(() => this.place()).observe(this.stage);
  }
}

function mark(kind, value) {
  for (const button of document.querySelectorAll(`[data-${kind}]`)) {
    button.setAttribute("aria-pressed", String(button.dataset[kind] === value));
  }
}

function within(share) {
  return Math.min(1, Math.max(0, share));
}
