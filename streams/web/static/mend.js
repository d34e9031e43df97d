// Mending a case: marks on its photograph, or other parameters; what comes of them is seen, and then sent.
import { Board } from "./mend_board.js";
import { field } from "./parameters.js";
import { ask, send } from "./talking.js";

const at = (id) => document.getElementById(id);
const root = at("mend");
const id = root.dataset.case;
const STEPS = JSON.parse(at("steps").dataset.steps);
const CUTOUT = "cutout";
const COLOUR = "background.color";
const ANGLE = "straighten.angle";
const STEP = 0.04; // of what is seen, that an arrow moves the cross by
const HINTS = {
  scribble: "A scribble says what is product; the matting finds the edge about it.",
  brush: "Exactly what is under the brush, and nothing else.",
  alike: "Whatever looks like what is under the stroke, all over the product: one over what is product, one over what is not.",
  box: "A box that is product: nothing outside of it is (this crops). One that is not: nothing in it is.",
  click: "All that hangs together there.",
  hand: "Drag to move, the wheel zooms.",
  pick: "Click on the photograph: its colour becomes the background.",
  level: "Draw a line along what should stand upright or lie level: the picture is turned by as much.",
};
const WORDS = { pass: "passes all that was measured", review: "a person would look", fail: "does not pass" };

const board = new Board(at("board"), { changed, picked, levelled });
let mask = null;
let seen = null; // the decision whose outcome was seen, as it would be sent
let shown = [];

begin();

async function begin() {
  at("send").disabled = true;
  fields(at("cutout-parameters"), stepOf(CUTOUT));
  fillAsset();
  choose("tool", "scribble");
  try {
    const known = await ask(`${root.dataset.at}/marks?case=${id}`);
    board.marks = known?.marks ?? [];
    mask = known?.mask ?? null;
    const view = await ask(`${root.dataset.review}/case?case=${id}`);
    await board.open(`${root.dataset.review}/photograph?case=${id}`);
    if (view.summary.cutout) await board.leaveOut(`${root.dataset.review}/picture?case=${id}&digest=${view.summary.cutout.digest}`);
    tell(board.marks.length ? `${board.marks.length} marks of before` : "");
    changed();
    root.dataset.ready = "yes";
  } catch (error) {
    tell(error.message);
  }
}

function stepOf(operation) {
  return STEPS.find((each) => each.operation === operation);
}

/** A field for each parameter that a step takes; a choice where there are only some values. */
function fields(where, step) {
  const taken = Object.entries(step?.takes ?? {}).filter(([name]) => name !== "retouch");
  where.replaceChildren(...taken.map(([name, kind]) => field(name, kind, step.words[name], step.parameters[name] ?? "", changed)));
}

function fillAsset() {
  const step = STEPS.find((each) => each.operation !== CUTOUT);
  at("picture-more").hidden = !step;
  at("picking").hidden = !step || !(COLOUR in step.takes);
  at("turning").hidden = at("levelling").hidden = !step || !(ANGLE in step.takes);
  fields(at("asset-parameters"), step);
  showTurn();
}

function values(where) {
  const given = [...where.querySelectorAll("[name]")].filter((each) => each.value.trim());
  return Object.fromEntries(given.map((each) => [each.name, each.value.trim()]));
}

/** The decision as it stands now: about the cutout, or about how a picture is composed of it. */
function decision(step) {
  if (step !== CUTOUT) return { step, parameters: different(step), retouch: null };
  const retouch = board.marks.length || mask ? { marks: board.marks, mask } : null;
  return { step, parameters: values(at("cutout-parameters")), retouch };
}

function different(operation) {
  const own = stepOf(operation).parameters;
  return Object.fromEntries(Object.entries(values(at("asset-parameters"))).filter(([name, value]) => value !== own[name]));
}

function changed() {
  seen = null;
  at("send").disabled = true;
  at("back").disabled = at("clear").disabled = !board.marks.length;
  root.dataset.marks = String(board.marks.length);
}

function picked(colour) {
  at("colour").value = colour;
  setColour();
  choose("tool", "scribble");
}

function setColour() {
  const field = at("asset-parameters").querySelector(`[name="${COLOUR}"]`);
  if (field) field.value = at("colour").value.toUpperCase();
  changed();
}

/** The picture is turned by a line that somebody drew. */
function levelled(degrees) {
  setTurn(degrees);
  at("picture-more").open = true;
  tell(`Turned by ${degrees.toFixed(1)}°: see the picture`);
}

function setTurn(degrees) {
  const field = at("asset-parameters").querySelector(`[name="${ANGLE}"]`);
  if (field) field.value = degrees.toFixed(1);
  showTurn();
  changed();
}

function showTurn() {
  const given = Number(at("asset-parameters").querySelector(`[name="${ANGLE}"]`)?.value || 0);
  at("turn").value = given;
  at("turn-told").textContent = `${given.toFixed(1)}°`;
}

async function see(step) {
  if (at("see").disabled) return;
  const wanted = decision(step);
  at("see").disabled = at("see-asset").disabled = true;
  tell("It is being made …");
  try {
    const made = await ask(`${root.dataset.at}/preview`, { case: id, review: at("asset").value || null, ...wanted });
    await showMade(made, step);
    seen = wanted;
    at("send").disabled = false;
    at("approves").hidden = step !== CUTOUT;
    root.dataset.seen = step;
    tell("");
  } catch (error) {
    tell(error.message);
  }
  at("see").disabled = at("see-asset").disabled = false;
}

async function showMade(made, step) {
  for (const each of shown) URL.revokeObjectURL(each);
  const pictures = { cutout: address(made.cutout), asset: address(made.asset) };
  shown = Object.values(pictures).filter(Boolean);
  for (const [name, found] of Object.entries(pictures)) {
    const button = document.querySelector(`[data-show="${name}"]`);
    button.disabled = !found;
    button.dataset.address = found ?? "";
  }
  if (pictures.cutout) await board.leaveOut(pictures.cutout);
  at("outcome").hidden = false;
  at("verdict").className = `chip ${made.outcome ?? ""}`;
  at("verdict").textContent = WORDS[made.outcome] ?? "made";
  at("doubt").textContent = made.uncertainty === null ? "" : `doubt about the cutout ${made.uncertainty.toFixed(2)}`;
  const missed = made.checks.filter((check) => check.outcome !== "pass" && check.measured !== "–");
  at("checks").replaceChildren(...missed.map((check) => Object.assign(document.createElement("li"), { textContent: `${check.subject}: ${check.measured}, limit ${check.limit}` })));
  look(step === CUTOUT ? "cutout" : "asset");
}

function address(picture) {
  if (!picture) return null;
  const bytes = Uint8Array.from(atob(picture.file), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: picture.media_type }));
}

function look(what) {
  const button = document.querySelector(`[data-show="${what}"]`);
  if (button.disabled) return;
  for (const each of document.querySelectorAll("[data-show]")) each.setAttribute("aria-pressed", String(each === button));
  at("board").hidden = what !== "marks";
  at("shown").hidden = what === "marks";
  if (what === "marks") board.draw();
  else Object.assign(at("shown"), { src: button.dataset.address, alt: what === "cutout" ? "The cutout as it would be" : "The picture as it would be" });
}

function lookNext() {
  const open = [...document.querySelectorAll("[data-show]")].filter((each) => !each.disabled);
  const now = open.findIndex((each) => each.getAttribute("aria-pressed") === "true");
  look(open[(now + 1) % open.length].dataset.show);
}

async function sendIt() {
  if (!seen || at("send").disabled) return;
  at("send").disabled = true;
  const isCutout = seen.step === CUTOUT;
  const said = { outcome: "redo", ...seen, reason: at("reason").value.trim(), approved: isCutout && at("approved").checked };
  try {
    await ask(`${root.dataset.review}/decide`, { case: id, decision: said });
    location.assign(root.dataset.review);
  } catch (error) {
    tell(error.message);
    at("send").disabled = false;
  }
}

async function takeMask() {
  const [file] = at("mask").files;
  if (!file) return;
  const form = new FormData();
  form.append("mask", file, file.name);
  try {
    mask = (await send(`${root.dataset.at}/mask?case=${id}`, form)).mask;
    tell("The mask is what the marks begin from.");
    changed();
  } catch (error) {
    tell(error.message);
  }
}

function choose(name, value) {
  const chosen = document.querySelector(`input[name="${name}"][value="${value}"]`);
  if (chosen) chosen.checked = true;
  if (name === "keep") board.keep = value === "yes";
  else {
    board.tool = value;
    at("tool-told").textContent = HINTS[value];
    at("board").dataset.tool = value;
    look("marks");
  }
}

function widen(steps) {
  at("radius").value = Number(at("radius").value) + steps;
  board.radius = Number(at("radius").value) / 1000;
}

function tell(words) {
  at("stage-told").textContent = words;
  at("stage-told").hidden = !words;
}

for (const each of document.querySelectorAll('input[type="radio"]')) each.addEventListener("change", () => choose(each.name, each.value));
for (const each of document.querySelectorAll("[data-show]")) each.addEventListener("click", () => look(each.dataset.show));
at("radius").addEventListener("input", () => widen(0));
at("back").addEventListener("click", () => board.back());
at("clear").addEventListener("click", () => { mask = null; board.clear(); });
at("whole").addEventListener("click", () => board.toggleWhole());
at("see").addEventListener("click", () => see(CUTOUT));
at("see-asset").addEventListener("click", () => see(STEPS.find((each) => each.operation !== CUTOUT).operation));
at("send").addEventListener("click", sendIt);
at("mask").addEventListener("change", takeMask);
at("colour").addEventListener("input", setColour);
at("pick").addEventListener("click", () => choose("tool", "pick"));
at("turn").addEventListener("input", () => setTurn(Number(at("turn").value)));
at("asset-parameters").addEventListener("input", showTurn);
at("help").addEventListener("click", () => at("legend").showModal());

const KEYS = {
  s: () => choose("tool", "scribble"), b: () => choose("tool", "brush"), l: () => choose("tool", "alike"), o: () => choose("tool", "box"), c: () => choose("tool", "click"), t: () => at("levelling").hidden || choose("tool", "level"), h: () => choose("tool", "hand"),
  k: () => choose("keep", "yes"), x: () => choose("keep", "no"), ",": () => widen(-2), ".": () => widen(2), u: () => board.back(),
  "+": () => board.closer(1.25), "=": () => board.closer(1.25), "-": () => board.closer(0.8), z: () => board.toggleWhole(), v: lookNext,
  p: () => see(CUTOUT), Enter: sendIt, " ": () => board.markThere(), "?": () => at("legend").showModal(),
  ArrowLeft: () => board.move(-STEP, 0), ArrowRight: () => board.move(STEP, 0), ArrowUp: () => board.move(0, -STEP), ArrowDown: () => board.move(0, STEP),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input:not([type="radio"]), select, dialog, summary, button, a')) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  const isRadio = event.target.matches('input[type="radio"]') && (event.key.startsWith("Arrow") || event.key === " ");
  if (!act || isRadio || !board.photograph) return;
  event.preventDefault();
  act();
});
