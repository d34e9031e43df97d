// A draft of a recipe: it is seen on some products, one after the other, and only what was seen can be released.
import { ask } from "./talking.js";

const at = (id) => document.getElementById(id);
const root = at("recipe").dataset;
const WORDS = { pass: "passes", review: "a person would look", fail: "does not pass", none: "not made" };
let seen = null; // the text that was seen
let round = 0;
let shown = [];

function changed() {
  seen = null;
  round += 1;
  if (at("release")) at("release").disabled = true;
  at("see").disabled = !chosen().length;
}

function chosen() {
  return [...document.querySelectorAll(".picks input:checked")];
}

function wrong(words) {
  at("wrong").textContent = words;
  at("wrong").hidden = !words;
}

async function see() {
  const text = at("text").value;
  const mine = ++round;
  at("see").disabled = true;
  wrong("");
  try {
    const plan = await ask(`${root.at}/check`, { text });
    tellPlan(plan);
    empty();
    let made = 0;
    for (const pick of chosen()) {
      if (mine !== round) return;
      made += await seeOn(pick, text, mine);
    }
    if (mine !== round) return;
    if (made) seen = text;
    if (at("release")) at("release").disabled = !seen;
  } catch (error) {
    wrong(error.message);
  }
  if (mine === round) at("see").disabled = false;
}

/** The pictures of a product; how many could be made. */
async function seeOn(pick, text, mine) {
  const section = element("section", { className: "of-product" });
  const before = element("img", { className: "thumb photo", alt: "The photograph", width: 200, height: 200, src: `${root.source}&sku=${encodeURIComponent(pick.value)}` });
  const cards = element("div", { className: "cards" });
  cards.append(element("p", { className: "empty", textContent: "It is being made …" }));
  section.append(element("h2", { textContent: pick.dataset.title }), before, cards);
  at("made").append(section);
  try {
    const pictures = await ask(`${root.at}/preview`, { text, sku: pick.value });
    if (mine === round) cards.replaceChildren(...pictures.map(card));
    return pictures.filter((each) => each.file).length;
  } catch (error) {
    cards.replaceChildren(element("p", { className: "empty", textContent: error.message }));
    return 0;
  }
}

function card(picture) {
  const made = element("article", { className: "asset" });
  const body = element("div", { className: "body" });
  if (picture.file) made.append(element("img", { className: "thumb", alt: picture.asset, width: 240, height: 240, src: address(picture) }));
  body.append(element("h3", { textContent: picture.asset }), element("span", { className: `chip ${picture.outcome}`, textContent: WORDS[picture.outcome] }));
  for (const each of picture.missed) body.append(element("p", { className: "why", textContent: `${each.subject}: ${each.measured}, limit ${each.limit}` }));
  body.append(element("p", { className: "soft small", textContent: picture.why || picture.size }));
  made.append(body);
  return made;
}

function address(picture) {
  const bytes = Uint8Array.from(atob(picture.file), (letter) => letter.charCodeAt(0));
  shown.push(URL.createObjectURL(new Blob([bytes], { type: picture.media_type })));
  return shown.at(-1);
}

function empty() {
  for (const each of shown) URL.revokeObjectURL(each);
  shown = [];
  at("made").replaceChildren();
}

function tellPlan(plan) {
  const others = plan.all > plan.own ? `, and ${plan.all - plan.own} of other tenants` : "";
  at("again").textContent = `3. Releasing ${plan.ref} makes ${plan.own} of your products again${others}.`;
}

async function release() {
  at("release").disabled = true;
  try {
    const plan = await ask(`${root.at}/release`, { text: seen, reason: at("reason").value.trim() });
    at("again").textContent = `${plan.ref} is released: ${plan.all} products are made again.`;
    seen = null;
  } catch (error) {
    wrong(error.message);
  }
}

function element(tag, values) {
  return Object.assign(document.createElement(tag), values);
}

if (at("see")) {
  at("text").addEventListener("input", changed);
  for (const pick of document.querySelectorAll(".picks input")) pick.addEventListener("change", changed);
  at("see").addEventListener("click", see);
  at("release")?.addEventListener("click", release);
  changed();
}
