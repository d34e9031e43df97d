// The review screen: one case after the other, by keyboard.
import { Live } from "./live.js";
import { Again } from "./review_again.js";
import { Alike } from "./review_alike.js";
import { Queue } from "./review_queue.js";
import { Viewer } from "./review_viewer.js";

const at = (id) => document.getElementById(id);
const root = at("review");
const REASONS = [
  "the cutout's edge is wrong", "something of the product is missing", "something is there that is no product", "the colour is off",
  "the shadow or the light is wrong", "it is the wrong product", "the photograph is no good",
];
const WORDS = JSON.parse(root.dataset.words); // what the checks are about, by name
const WHERE = ["edges", "colour", "text", "shadow"];
const STEP = 0.12; // of what is seen, that an arrow moves by

if (root.dataset.may === "yes") begin();

function begin() {
  const wanted = {};
  for (const name of ["about", "channel", "sku"]) if (root.dataset[name]) wanted[name] = root.dataset[name];
  const viewer = new Viewer(at("stage"), at("divide"));
  const prepared = new Map();
  let current = null;
  let asset = 0;

  let settled = 0;

  const queue = new Queue(root.dataset.at, wanted, { tell, prepare, complete });
  const again = new Again(at("mend").dataset.at, (said) => decide("redo", said));

  const alike = new Alike(root.dataset.at, {
    picture: (summary) => picture({ summary }, (summary.cutout ?? summary.picture).digest, 320),
    decided: (sent, refused) => {
      const isCurrent = sent.some((each) => each.case_id === current?.summary.case_id);
      queue.sent(sent);
      settled += sent.length;
      tell(refused.length ? `${sent.length} decided; ${refused[0].refused}` : `${sent.length} decided together`, refused.length > 0, true);
      if (isCurrent) advance();
    },
  });

  async function showAlike() {
    if (!current || at("group").open) return;
    try {
      if (!(await alike.open(current.summary))) tell("No other case is in doubt for just the same.");
    } catch (error) {
      tell(error.message, true);
    }
  }

  function picture(view, digest, size = 0) {
    return `${root.dataset.at}/picture?case=${view.summary.case_id}&digest=${digest}&size=${size}`;
  }

  function addresses(view, number) {
    const { case_id, source, cutout } = view.summary;
    const shown = view.assets[number];
    const found = { result: picture(view, (shown?.picture ?? view.summary.picture).digest) };
    if (source) found.source = `${root.dataset.at}/photograph?case=${case_id}`;
    if (cutout) found.cutout = picture(view, cutout.digest);
    if (source && cutout) found["left-out"] = `${root.dataset.at}/photograph?case=${case_id}&part=left-out`;
    if (shown?.moving) found.moving = picture(view, shown.moving.digest);
    if (cutout) {
      const picked = (shown?.picture ?? view.summary.picture).digest;
      for (const what of WHERE) found[`where-${what}`] = `${root.dataset.at}/where?case=${case_id}&digest=${picked}&what=${what}`;
    }
    return found;
  }

  /** Where the picture is in doubt: first by what the case is about, then the others, then nothing. */
  function where() {
    const first = { colour: "colour", text: "text", light: "shadow" }[current.summary.about] ?? "edges";
    const order = ["pair", ...[first, ...WHERE.filter((each) => each !== first)].map((each) => `where-${each}`)];
    const known = order.filter((each) => each === "pair" || viewer.addresses[each]);
    viewer.look(known[(known.indexOf(viewer.view) + 1) % known.length] ?? "pair");
  }

  /** Fetches what is seen of a case first, before it is shown. Resolves when it is decoded. */
  async function prepare(view) {
    const known = addresses(view, 0);
    const seen = [known["left-out"] ?? known.source, known.result].filter(Boolean);
    await Promise.all(seen.map((address) => fetched(view, address)));
  }

  /** Fetches the rest of what a case can show. */
  async function complete(view) {
    const known = Object.entries(addresses(view, 0)).filter(([name]) => !name.startsWith("where-")); // made when asked for
    for (const [, address] of known) await fetched(view, address);
  }

  async function fetched(view, address) {
    if (view === current || prepared.get(view.summary.case_id)?.includes(address)) return;
    const image = Object.assign(new Image(), { src: address });
    prepared.set(view.summary.case_id, [...(prepared.get(view.summary.case_id) ?? []), address]);
    viewer.ready.set(address, image);
    await image.decode().catch(() => {}); // it is told when it is shown
  }

  function forget(view) {
    for (const address of prepared.get(view.summary.case_id) ?? []) viewer.ready.delete(address);
    prepared.delete(view.summary.case_id);
  }

  async function advance() {
    const began = performance.now();
    if (current) forget(current);
    current = await queue.next();
    at("bench").hidden = !current;
    at("nothing").hidden = Boolean(current);
    tellCount();
    if (current) await show(current, began);
  }

  /** How many wait: as many as were told last, less those that were settled on this page since. */
  function tellCount() {
    const left = Math.max(queue.left + 1, Number(root.dataset.waiting) - settled);
    at("count").textContent = current ? `${left} waiting` : "nothing waits";
  }

  /** How many wait now; those whose decision is on its way still do. Where nothing was left, there may be something. */
  function heard(count) {
    if (!/^\d+$/.test(count)) return; // why it is not known just now
    root.dataset.waiting = count;
    settled = queue.waiting.length;
    if (current) tellCount();
    else if (Number(count) > settled && !queue.filling) advance();
  }

  async function show(view, began = performance.now()) {
    current = view;
    asset = 0;
    at("bench").hidden = false;
    at("nothing").hidden = true;
    tellCase(view);
    await viewer.show(addresses(view, 0));
    root.dataset.case = view.summary.case_id;
    requestAnimationFrame(() => performance.measure("packshot.case", { start: began, end: performance.now() }));
  }

  function tellCase(view) {
    const { about, again, title, sku, category, waiting, releases, deadline_ms: deadline } = view.summary;
    at("doubt").textContent = again ? `${about} · again: ${again}` : about;
    Object.assign(at("title"), { textContent: title || sku, href: `${root.dataset.product}?sku=${encodeURIComponent(sku)}` });
    const due = deadline ? ` · due ${new Date(deadline).toISOString().slice(0, 16).replace("T", " ")}` : "";
    at("told").textContent = `${sku}${category ? ` · ${category}` : ""} · ${waiting} waiting, ${releases} released by this${due}`;
    const failing = view.checks.filter((check) => check.outcome !== "pass");
    const others = (view.assets[0]?.checks ?? []).filter((check) => !failing.some((each) => each.name === check.name));
    at("failing").replaceChildren(...failing.map(card));
    at("others").querySelector("summary").textContent = `${others.length} other checks of the picture`;
    at("others").querySelector("div").replaceChildren(...others.map(line));
    at("strip").replaceChildren(...view.assets.map((each, number) => tile(view, each, number)));
  }

  function tile(view, each, number) {
    const image = element("img", { width: 64, height: 64, alt: "", src: picture(view, each.picture.digest, 96) });
    const stays = each.also_in.length > 0;
    const name = element("span", { textContent: each.asset, className: stays ? "stays" : "" });
    const button = element("button", { type: "button", title: stays ? `${each.asset}: waits for another case, too` : each.asset });
    button.append(image, name);
    button.setAttribute("aria-current", String(number === asset));
    button.addEventListener("click", () => pick(number));
    const item = element("div", {});
    item.setAttribute("role", "listitem");
    item.append(button);
    return item;
  }

  function pick(number) {
    const count = current.assets.length;
    asset = (number + count) % count;
    [...at("strip").querySelectorAll("button")].forEach((each, index) => each.setAttribute("aria-current", String(index === asset)));
    viewer.addresses = addresses(current, asset);
    viewer.draw();
  }

  function decide(outcome, more = {}) {
    if (!current) return;
    const view = current;
    queue.decide(view, { outcome, reason: "", ...more });
    settled += 1;
    const said = { approve: "Approved", reject: "Rejected", redo: "To be made again" }[outcome];
    tell(`${said}: ${view.summary.title || view.summary.sku} (${view.summary.waiting})`, false, true);
    advance();
  }

  async function undo() {
    const before = current;
    try {
      const view = await queue.undo();
      if (!view) return;
      if (before) queue.putBack(before);
      settled -= 1;
      await show(view);
      tellCount();
      tell("Undone");
    } catch (error) {
      tell(error.message, true);
    }
  }

  function skip() {
    if (!current) return;
    queue.skip(current);
    advance();
  }

  function mend() {
    if (!current?.summary.source) return;
    location.assign(`${at("mend").dataset.at}?case=${current.summary.case_id}`);
  }

  function askWhy() {
    if (!current || at("why").open) return;
    at("other").value = "";
    at("why").returnValue = "";
    at("why").showModal();
    at("reasons").querySelector("button").focus();
  }

  function askAgain() {
    if (current?.steps.length) again.open(current, current.assets[asset]?.review_id ?? null);
  }

  REASONS.forEach((reason, number) => {
    const button = element("button", { type: "button" });
    button.append(element("kbd", { textContent: String(number + 1) }), reason);
    button.addEventListener("click", () => rejectFor(reason));
    const item = element("li", {});
    item.append(button);
    at("reasons").append(item);
  });

  function rejectFor(reason) {
    at("why").close("");
    decide("reject", { reason });
  }

  at("why").addEventListener("close", () => {
    if (at("why").returnValue === "say" && at("other").value.trim()) decide("reject", { reason: at("other").value.trim() });
  });
  at("why").addEventListener("keydown", (event) => {
    if (event.target !== at("other") && REASONS[Number(event.key) - 1]) rejectFor(REASONS[Number(event.key) - 1]);
  });
  at("approve").addEventListener("click", () => decide("approve"));
  at("reject").addEventListener("click", askWhy);
  at("redo").addEventListener("click", askAgain);
  at("skip").addEventListener("click", skip);
  at("alike").addEventListener("click", showAlike);
  at("mend").addEventListener("click", mend);
  at("undo").addEventListener("click", undo);
  at("where").addEventListener("click", () => current && where());
  at("zoom").addEventListener("click", () => viewer.toggleWhole());
  at("help").addEventListener("click", () => at("legend").showModal());
  for (const button of root.querySelectorAll("[data-view]")) button.addEventListener("click", () => viewer.look(button.dataset.view));
  for (const button of root.querySelectorAll("[data-ground]")) button.addEventListener("click", () => viewer.ground(button.dataset.ground));

  const KEYS = {
    a: () => decide("approve"), r: askWhy, e: askAgain, l: showAlike, m: mend, n: skip, u: undo, v: () => viewer.next(), w: where, s: () => viewer.slide(),
    z: () => viewer.toggleWhole(), "+": () => viewer.closer(1.25), "=": () => viewer.closer(1.25), "-": () => viewer.closer(0.8),
    ArrowLeft: () => viewer.move(-STEP, 0), ArrowRight: () => viewer.move(STEP, 0), ArrowUp: () => viewer.move(0, -STEP), ArrowDown: () => viewer.move(0, STEP),
    1: () => viewer.groundAt(0), 2: () => viewer.groundAt(1), 3: () => viewer.groundAt(2), 4: () => viewer.groundAt(3),
    "[": () => pick(asset - 1), "]": () => pick(asset + 1), ",": () => viewer.divideBy(-5), ".": () => viewer.divideBy(5), "?": () => at("legend").showModal(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, dialog")) return;
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || (event.repeat && "arelmnu".includes(event.key.toLowerCase()))) return;
    event.preventDefault();
    if (current || event.key === "?" || event.key.toLowerCase() === "u") act();
  });

  advance().then(() => new Live(root.dataset.stream, { waiting: heard }));
}

function card(check) {
  const made = element("div", { className: `check-card ${check.outcome}` });
  const figures = element("div", { className: "figures" });
  figures.append(
    element("span", { textContent: check.measured === null ? "not measured" : `measured ${figure(check.measured)}` }),
    element("span", { textContent: `limit ${check.limit}` }),
  );
  made.append(element("b", { textContent: named(check.name) }), figures, element("span", { className: "soft small", textContent: [check.unit, check.rule].filter(Boolean).join(" · ") }));
  return made;
}

function line(check) {
  const made = element("div", { className: "small" });
  made.append(element("span", { className: `dot ${check.outcome}` }), `${named(check.name)}: ${check.measured === null ? "not measured" : figure(check.measured)}, ${check.limit}`);
  return made;
}

let hiding = 0;
function tell(text, isWrong = false, canUndo = false) {
  at("toast").hidden = false;
  at("toast").classList.toggle("is-wrong", isWrong);
  at("toast").querySelector("span").textContent = text;
  at("undo").hidden = !canUndo;
  clearTimeout(hiding);
  hiding = setTimeout(() => { at("toast").hidden = true; }, isWrong ? 12_000 : 5_000);
}

function named(name) {
  return WORDS[name] ?? name.replaceAll("_", " ").replaceAll(".", ": ");
}

function figure(value) {
  return Math.abs(value) >= 1000 || Number.isInteger(value) ? value.toLocaleString("en") : value.toPrecision(3);
}

function element(tag, values) {
  return Object.assign(document.createElement(tag), values);
}
